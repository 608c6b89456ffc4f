"""IDX files, their faults, and a split that never changes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from bdnet import InputError
from bdnet.data import fashion_mnist
from bdnet.data.fashion_mnist import find_folder, read_idx
from bdnet.data.images import Images, split

GOOD = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_idx(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(GOOD) if name.endswith(".gz") else GOOD)
    assert read_idx(path).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x", b"", "starts with the bytes ''"),
        ("x", b"\x89PNG....", "starts with the bytes '89 50 4e 47'"),
        ("x", bytes([0, 0, 13]) + GOOD[3:], "unsigned bytes starts with '00 00 08'"),
        ("x", GOOD[:-1], r"has 17 bytes; an IDX header of shape \[2, 3\] asks for 18"),
        ("x", GOOD[:6], "has 6 bytes"),
        ("x.gz", GOOD, "cannot be read"),
        ("x.gz", gzip.compress(GOOD, mtime=0)[:-9], "cannot be read"),
    ],
)
def test_damaged_idx(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / name)


def test_split_is_fixed_and_complete() -> None:
    """Checked against numbers, so that a change of NumPy's generator would be seen."""
    labels = (np.arange(60_000) % 10).astype(np.uint8)
    numbers = np.arange(60_000, dtype=np.uint32).view(np.uint8).reshape(60_000, 1, 1, 4)
    training, validation = split(Images(numbers, labels))
    indices = [part.images.copy().view(np.uint32).ravel() for part in (training, validation)]
    assert [len(part) for part in indices] == [55_000, 5_000]
    assert np.array_equal(np.sort(np.concatenate(indices)), np.arange(60_000))
    assert indices[1][:5].tolist() == [6, 10, 19, 29, 31]
    assert np.array_equal(validation.labels, labels[indices[1]])


def test_missing_data_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="apt-get download dataset-fashion-mnist"):
        find_folder(tmp_path / "no")
    monkeypatch.setattr(fashion_mnist, "_SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="apt-get download dataset-fashion-mnist"):
        find_folder()
    (tmp_path / "cache" / "bdnet" / "fashion-mnist").mkdir(parents=True)
    assert find_folder() == tmp_path / "cache" / "bdnet" / "fashion-mnist"
    (tmp_path / "system").mkdir()
    assert find_folder() == tmp_path / "system"


def test_labels_and_images_that_do_not_fit(tmp_path: Path) -> None:
    def idx(*shape: int, value: int = 0) -> bytes:
        sizes = b"".join(size.to_bytes(4, "big") for size in shape)
        return bytes([0, 0, 8, len(shape)]) + sizes + bytes([value]) * int(np.prod(shape))

    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(3, 4, 4))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(2))
    with pytest.raises(InputError, match=r"images \[3, 4, 4\] and labels \[2\]; expected"):
        fashion_mnist.test_images(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(3, value=11))
    with pytest.raises(InputError, match=r"labels in .* go up to 11"):
        fashion_mnist.test_images(tmp_path)
