"""A tiny data set in the standard layout, and the folder of a run, for tests."""

import numpy as np
from PIL import Image

from lst_tf2.runs.run_folder import claimed

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


def claim(folder, config, *, overwrite=False):
    """Makes the folder of a run, as training does, and returns it."""
    with claimed(folder, config, overwrite=overwrite) as path:
        return path


def path_in(catalogue, pool, class_index, image_index):
    """Returns the path of an image by its place in a class."""
    entry = catalogue.classes[class_index]
    name = getattr(entry, pool)[image_index]
    return str(catalogue.folder / f"{pool}_{catalogue.split}" / entry.name / name)
