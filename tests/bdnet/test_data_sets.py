"""Data sets: each is read from files in its published form, made here, and its faults are told."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from bdnet import InputError
from bdnet.data import sources
from bdnet.data.data_set import cache_folder
from bdnet.data.files import ImageFiles
from bdnet.data.images import Images
from bdnet.data.sources import open_data
from bdnet.training.batches import Share, evaluation_batches, training_batches
from bdnet.training.recipe import Recipe


def colour(path: Path, shade: int, size: tuple[int, int] = (40, 30)) -> None:
    """An image file of one colour: red is ``shade``, green 100, blue 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 100, 0)).save(path)


def class_folders(folder: Path, images: int, nested: str = "") -> None:
    for shade, name in ((50, "ant"), (200, "bee")):
        for index in range(images):
            colour(folder / name / nested / f"{index}.png", shade)


def cifar(folder: Path, labels: bytes, names: bytes, batches: list[str], test: str) -> None:
    """As the authors' Python 2 wrote it: byte strings for keys, three planes of 32 x 32."""
    folder.mkdir(parents=True)
    for batch in [*batches, test]:
        data = np.zeros((12, 3, 32, 32), np.uint8)
        data[:, 0], data[:, 1, 0, 1] = 7, np.arange(12)
        content = {b"data": data.reshape(12, -1), labels: [*range(9), 0, 1, 2]}
        (folder / batch).write_bytes(pickle.dumps(content, protocol=2))
    meta = {names: [f"class {i}".encode() for i in range(10)]}
    (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))


def test_cifar10(tmp_path: Path) -> None:
    batches = [f"data_batch_{i}" for i in range(1, 6)]
    cifar(tmp_path / "cifar-10-batches-py", b"labels", b"label_names", batches, "test_batch")
    data = open_data("cifar10", tmp_path, 32, False)
    assert [len(data.training), len(data.validation)] == [55, 5]
    assert data.classes[3] == "class 3"
    assert data.shape == (3, 32, 32)
    assert isinstance(data.test, Images)
    assert (data.test.images[:, 0] == 7).all()
    assert data.test.images[:, 1, 0, 1].tolist() == list(range(12))
    assert data.test.labels.tolist() == [*range(9), 0, 1, 2]
    with pytest.raises(InputError, match="CIFAR-10 has images of 32 x 32 and the recipe is for 64"):
        open_data("cifar10", tmp_path, 64, False)


def test_cifar100(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    cifar(folder, b"fine_labels", b"fine_label_names", ["train"], "test")
    data = open_data("cifar100", tmp_path, 32, False)
    assert [len(data.training), len(data.validation)] == [11, 1]
    (folder / "train").write_bytes(pickle.dumps({b"data": np.zeros((2, 3))}, protocol=2))
    with pytest.raises(InputError, match="has other content than CIFAR's Python version"):
        open_data("cifar100", tmp_path, 32, False)
    (folder / "train").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"train cannot be read \(.*\): get it again"):
        open_data("cifar100", tmp_path, 32, False)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("code from a data set has run",))


def test_a_pickle_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cifar-100-python"
    cifar(folder, b"fine_labels", b"fine_label_names", ["train"], "test")
    (folder / "train").write_bytes(pickle.dumps({b"data": Bomb()}, protocol=2))
    with pytest.raises(InputError, match=r"it asks for .*\.print"):
        open_data("cifar100", tmp_path, 32, False)
    assert capsys.readouterr().out == ""


def test_stl10(tmp_path: Path) -> None:
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    # On disk a column comes after another.
    stored = np.zeros((24, 3, 96, 96), np.uint8)
    stored[:, 1, 5, 9] = 77
    for part in ("train", "test"):
        stored.tofile(folder / f"{part}_X.bin")
        (np.arange(24, dtype=np.uint8) % 10 + 1).tofile(folder / f"{part}_y.bin")
    (folder / "class_names.txt").write_text("airplane\nbird\n")
    data = open_data("stl10", tmp_path, 96, False)
    assert [len(data.training), len(data.validation)] == [22, 2]
    assert isinstance(data.test, Images)
    assert (data.test.images[:, 1, 9, 5] == 77).all()
    assert data.test.labels[:3].tolist() == [0, 1, 2]
    (folder / "train_y.bin").write_bytes(b"\1\2")
    with pytest.raises(InputError, match="bytes of train images for 2 labels"):
        open_data("stl10", tmp_path, 96, False)


def test_tiny_imagenet(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-imagenet-200"
    class_folders(folder / "train", 12, nested="images")
    colour(folder / "val" / "images" / "val_0.JPEG", 200)
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tbee\t0\t0\t62\t62\n")
    data = open_data("tiny-imagenet", tmp_path, 64, False)
    assert [len(data.training), len(data.validation)] == [22, 2]
    assert data.classes == ("ant", "bee")
    assert isinstance(data.test, ImageFiles)
    assert data.test.labels.tolist() == [1]
    assert abs(int(data.test.read(0)[0, 30, 30]) - 200) < 5
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tcat\t0\t0\t62\t62\n")
    with pytest.raises(InputError, match="names classes that train has not"):
        open_data("tiny-imagenet", tmp_path, 64, False)


def test_imagenet(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", 12)
    class_folders(tmp_path / "val", 1)
    data = open_data("imagenet", tmp_path, 224, False)
    assert data.test is not None
    assert [len(data.training), len(data.validation), len(data.test)] == [22, 2, 2]


def test_flowers102(tmp_path: Path) -> None:
    folder = tmp_path / "flowers-102"
    for number in range(1, 5):
        colour(folder / "jpg" / f"image_{number:05}.jpg", 50 * number)
    savemat(folder / "imagelabels.mat", {"labels": np.array([[102, 1, 7, 7]], np.uint8)})
    parts = {"trnid": [[3, 1]], "valid": [[2]], "tstid": [[4]]}
    savemat(folder / "setid.mat", {name: np.array(ids, np.uint16) for name, ids in parts.items()})
    data = open_data("flowers102", tmp_path, 32, False)
    assert isinstance(data.training, ImageFiles)
    assert data.training.labels.tolist() == [6, 101]
    assert abs(int(data.training.read(0)[0, 16, 16]) - 150) < 5
    assert data.validation.labels.tolist() == [0]
    (folder / "setid.mat").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"setid.mat cannot be read \(.*\): get it again"):
        open_data("flowers102", tmp_path, 32, False)
    savemat(folder / "imagelabels.mat", {"labels": np.array([[103, 1, 7, 7]], np.uint8)})
    with pytest.raises(InputError, match="labels other than 1 to 102"):
        open_data("flowers102", tmp_path, 32, False)


def test_a_folder_of_class_folders_is_divided(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets", 12)
    data = open_data(str(tmp_path / "pets"), None, 32, False)
    assert data.name == "pets"
    assert data.classes == ("ant", "bee")
    assert [len(data.training), len(data.validation), data.test] == [22, 2, None]
    again = open_data(str(tmp_path / "pets"), None, 32, False)
    assert again.training.digest() == data.training.digest()
    assert again.validation.digest() != data.training.digest()


def test_a_folder_with_train_val_and_test(tmp_path: Path) -> None:
    for part, images in (("train", 4), ("val", 2), ("test", 1)):
        class_folders(tmp_path / part, images)
    data = open_data(str(tmp_path), None, 32, False)
    assert data.test is not None
    assert [len(data.training), len(data.validation), len(data.test)] == [8, 4, 2]
    before = data.training.digest()
    colour(tmp_path / "train" / "ant" / "0.png", 50, (400, 300))
    assert data.training.digest() != before
    colour(tmp_path / "val" / "cat" / "0.png", 50)
    with pytest.raises(InputError, match="'cat' is in one of them only"):
        open_data(str(tmp_path), None, 32, False)


def test_faults_of_a_folder_are_told(tmp_path: Path) -> None:
    class_folders(tmp_path / "few", 2)
    (tmp_path / "one" / "ant").mkdir(parents=True)
    (tmp_path / "empty" / "ant").mkdir(parents=True)
    (tmp_path / "empty" / "bee").mkdir(parents=True)
    class_folders(tmp_path / "broken", 12)
    (tmp_path / "broken" / "ant" / "0.png").write_bytes(b"no image")
    for name, message in {
        "few": "has 4 images, too few to hold any out",
        "one": "has 1 folders; expected a folder of images for each",
        "empty": "ant is there as a class but has no images",
    }.items():
        with pytest.raises(InputError, match=message):
            open_data(str(tmp_path / name), None, 32, False)
    files = open_data(str(tmp_path / "broken"), None, 32, False).training
    assert isinstance(files, ImageFiles)
    broken = [path.stat().st_size for path in files.paths].index(len(b"no image"))
    with pytest.raises(InputError, match=r"0\.png cannot be read as an image"):
        files.read(broken)
    files.paths[0].unlink()
    with pytest.raises(InputError, match="is not there"):
        files.digest()


@pytest.mark.parametrize("name", [name for name in sources.NAMES if name != "fashion-mnist"])
def test_a_data_set_that_is_not_there_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError) as told:
        open_data(name, None, 32, False)
    message = str(told.value)
    assert message.startswith(f"{name} is not in {cache_folder(name)}")
    assert "--data-folder" in message
    assert "--download" in message or "unpack" in message or "put its" in message
    assert "\n" not in message


def test_a_crop_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 40:, 0] = 250
    pixels[20:, :, 2] = 250
    Image.fromarray(pixels).save(path)
    files = ImageFiles((path,), np.array([0]), 16)
    middle = files.read(0)
    assert middle.shape == (3, 16, 16)
    assert middle[0, 0, [0, -1]].tolist() == [0, 250]
    assert middle[2, [0, -1], 0].tolist() == [0, 250]
    # A twentieth of the area, of square shape, at the right edge and the bottom.
    corner = files.read(0, np.array([0.05, 0.5, 1.0, 1.0]))
    assert (corner[[0, 2]] == 250).all()
    whole = files.read(0, np.array([1.0, 0.5, 0.5, 0.5]))
    assert whole[0, 0, [0, -1]].tolist() == [0, 250]


def test_a_photograph_is_turned_the_right_way_up(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 250
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right by a quarter to be looked at
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    image = ImageFiles((path,), np.array([0]), 16).read(0)
    assert image[0, 0].max() < 20
    assert image[0, -1].min() > 230


def test_the_number_of_threads_that_read_changes_no_image(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", 9)
    class_folders(tmp_path / "val", 2)
    data = open_data(str(tmp_path), None, 24, False)
    recipe = Recipe(image_size=24, batch_size=4, smallest_crop=0.3, shift=2)
    runs = [
        list(training_batches(data.training, one, 3, data.preprocessing, Share()))
        for one in (replace(recipe, threads=1), replace(recipe, threads=5))
    ]
    assert len(runs[0]) == 18 // 4
    for (images, labels), (others, names) in zip(*runs, strict=True):
        assert images.shape == (4, 3, 24, 24)
        assert torch.equal(images, others)
        assert torch.equal(labels, names)
    (batch,) = evaluation_batches(data.validation, data.preprocessing, 2)
    assert batch[1].tolist() == [0, 0, 1, 1]
    large = open_data(str(tmp_path), None, 1000, False)
    batches = list(evaluation_batches(large.validation, large.preprocessing, 2))
    assert [len(labels) for _, labels in batches] == [1, 1, 1, 1]


def test_download_without_torchvision_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(InputError, match=r"--download needs torchvision.*'bdnet\[data\]'"):
        open_data("cifar10", tmp_path, 32, True)
    with pytest.raises(InputError, match="--download does not know imagenet: put its train"):
        open_data("imagenet", tmp_path, 224, True)
    with pytest.raises(InputError, match="--data-folder and --download go with one of"):
        open_data(str(tmp_path), None, 224, True)
