"""Small things that tests of several modules need: data sets, sources, runs and their figures."""

import io

import numpy as np
from PIL import Image

from lst_tf2.datasets.fit_images import fit_array
from lst_tf2.datasets.source import SourceClass
from lst_tf2.runs.run_folder import open_run
from lst_tf2.storage.locks import HOLDER_NAME
from tests.golden.py2npy import _Py2Pickler

SPLITS = ("train", "val", "test")


def write_data_set(folder, *, classes_per_split=4, images_per_pool=6, image_size=16):
    """Writes noisy blocks of colour, each class its own, and returns `folder`."""
    rng = np.random.default_rng(0)
    for s, split in enumerate(SPLITS):
        for c in range(classes_per_split):
            colours = rng.integers(0, 256, size=(2, 2, 3))
            pattern = np.kron(colours, np.ones((image_size // 2, image_size // 2, 1)))
            for pool in ("labeled", "unlabeled"):
                class_folder = folder / f"{pool}_{split}" / f"class{s}{c}"
                class_folder.mkdir(parents=True)
                for i in range(images_per_pool):
                    noisy = np.clip(pattern + rng.normal(0, 40, pattern.shape), 0, 255)
                    Image.fromarray(noisy.astype(np.uint8)).save(class_folder / f"{pool[0]}{i}.png")
    return folder


def begin_run(folder, config, *, overwrite=False):
    """Makes the folder of a run, as training does, and returns it."""
    with open_run(folder, config, overwrite=overwrite) as path:
        return path


def path_in(catalogue, pool, class_index, image_index):
    """Returns the path of an image by its place in a class."""
    entry = catalogue.classes[class_index]
    name = getattr(entry, pool)[image_index]
    return str(catalogue.folder / f"{pool}_{catalogue.split}" / entry.name / name)


def save_image(path, size=(12, 10), colour=(255, 0, 0), mode="RGB", **options):
    """Writes an image of one colour and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def write_source(folder, num_classes=5, num_images=4):
    """Writes a folder of class folders of images and returns it."""
    for c in range(num_classes):
        for i in range(num_images):
            save_image(folder / f"class{c}" / f"{i}.png", colour=(40 * c, 60 * i, 0))
    return folder


class FakeImages:
    """Images of one colour each; raises what `errors` says in their place."""

    def __init__(self, colour, errors=None, stamp=""):
        self.colour, self.errors, self.text = colour, errors or {}, stamp
        self.num_read = 0

    def read(self, index, image_size):
        if index in self.errors:
            raise self.errors[index]
        self.num_read += 1
        return fit_array(np.full((9, 9, 3), self.colour + index, np.uint8), image_size)

    def describe(self, index):
        return f"row {index}"

    def stamp(self):
        return self.text


def fake_classes(num_classes=3, num_images=4, **errors):
    """Returns classes of such images, one in each split by turns; `errors` by class."""
    return [
        SourceClass(
            f"class{c}",
            ("train", "val", "test")[c % 3],
            [str(i) for i in range(num_images)],
            FakeImages(50 * c, errors.get(f"class{c}")),
        )
        for c in range(num_classes)
    ]


def read_files(folder):
    """Returns what each file holds, but for who held the folder last, and when."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != HOLDER_NAME]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def python_2_bytes(value):
    """Returns the pickle that Python 2 writes of a value."""
    stream = io.BytesIO()
    _Py2Pickler(stream, 2).dump(value)
    return stream.getvalue()
