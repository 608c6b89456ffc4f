"""Image files in a folder for each class: a user's own, ImageNet, Tiny ImageNet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bdnet.data.data_set import IMAGENET, DataSet
from bdnet.data.files import SUFFIXES, ImageFiles
from bdnet.data.images import split_indices
from bdnet.errors import InputError
from bdnet.preprocessing import Preprocessing

_TINY = Preprocessing(mean=(0.4802, 0.4481, 0.3975), std=(0.2770, 0.2691, 0.2821))


def own_folder(folder: Path, size: int) -> DataSet:
    """A user's images: ``folder``/CLASS/..., or train/CLASS/..., val/CLASS/..., test/CLASS/...

    Without val, one image in twelve is held out for validation, the same ones in every run. A test
    set is what stands in test, and nothing else.
    """
    training_folder = folder / "train"
    if not training_folder.is_dir():
        training_folder = folder
    classes, training = class_folders(training_folder, size)
    parts = {}
    for part in ("val", "test"):
        if training_folder != folder and (folder / part).is_dir():
            theirs, parts[part] = class_folders(folder / part, size)
            _require_same_classes(classes, theirs, folder / part)
    validation = parts.get("val")
    if validation is None:
        training, validation = _divided(training, training_folder)
    return DataSet(
        folder.resolve().name,
        training,
        validation,
        parts.get("test"),
        IMAGENET,
        classes,
        (3, size, size),
    )


def imagenet(folder: Path, size: int) -> DataSet:
    """ImageNet (ILSVRC 2012): ``folder``/train/CLASS/..., ``folder``/val/CLASS/...

    The test labels are not public: val is what is published about, so it is the test set here, and
    images for validation are held out of train.
    """
    classes, training = class_folders(folder / "train", size)
    theirs, test = class_folders(folder / "val", size)
    _require_same_classes(classes, theirs, folder / "val")
    training, validation = _divided(training, folder / "train")
    shape = (3, size, size)
    return DataSet("ImageNet", training, validation, test, IMAGENET, classes, shape)


def tiny_imagenet(folder: Path, size: int) -> DataSet:
    """Tiny ImageNet: 200 classes of 64 x 64, from ``folder``/tiny-imagenet-200 (Stanford CS231n).

    Its val is the test set here, as with `imagenet`.
    """
    folder = folder / "tiny-imagenet-200"
    classes, training = class_folders(folder / "train", size)
    training, validation = _divided(training, folder / "train")
    numbers = {name: label for label, name in enumerate(classes)}
    paths, labels = [], []
    lines = (folder / "val" / "val_annotations.txt").read_text().splitlines()
    for line in lines:
        name, _, rest = line.partition("\t")
        paths.append(folder / "val" / "images" / name)
        labels.append(numbers.get(rest.split("\t")[0], -1))
    if not labels or min(labels) < 0:
        raise InputError(
            f"{folder / 'val' / 'val_annotations.txt'} names classes that train has not: "
            "get the data set again"
        )
    test = ImageFiles(tuple(paths), np.asarray(labels, np.int64), size)
    shape = (3, size, size)
    return DataSet("Tiny ImageNet", training, validation, test, _TINY, classes, shape)


def class_folders(folder: Path, size: int) -> tuple[tuple[str, ...], ImageFiles]:
    """The images in ``folder``, each of the class that the folder right below is named after.

    Raises:
        InputError: fewer than two classes, or one without images.
    """
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if len(classes) < 2:
        raise InputError(
            f"{folder} has {len(classes)} folders; expected a folder of images for each of at "
            "least two classes"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        files = (path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        found = sorted(path for path in files if path.is_file())
        if not found:
            raise InputError(
                f"{folder / name} is there as a class but has no images ({', '.join(SUFFIXES)})"
            )
        paths += found
        labels += [label] * len(found)
    return tuple(classes), ImageFiles(tuple(paths), np.asarray(labels, np.int64), size)


def _divided(images: ImageFiles, folder: Path) -> tuple[ImageFiles, ImageFiles]:
    training, validation = split_indices(len(images))
    if not len(validation):
        raise InputError(
            f"{folder} has {len(images)} images, too few to hold any out for validation: add some, "
            "or put them into train and val"
        )
    return images.chosen(training), images.chosen(validation)


def _require_same_classes(ours: tuple[str, ...], theirs: tuple[str, ...], folder: Path) -> None:
    different = sorted(set(ours) ^ set(theirs))
    if different:
        raise InputError(
            f"{folder} and the training images have different classes: {different[0]!r} is in one "
            "of them only"
        )
