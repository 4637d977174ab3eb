"""Writes small sources of every form, and reads what became of them."""

import csv
import dataclasses
import io
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from lst_tf2.config import SPLITS
from lst_tf2.data import layout
from lst_tf2.datasets.build import prepare_published
from lst_tf2.datasets.published import load_published
from lst_tf2.errors import InputError
from tests.builders import path_in, python_2_bytes

NAMES = {"train": ["n01", "n02", "n03"], "val": ["n04", "n05"], "test": ["n06", "n07"]}
PER_CLASS = 4
SIZE = 8


def small(name):
    """A published set of three classes, or two, a split."""
    counts = {split: PER_CLASS * len(names) for split, names in NAMES.items()}
    is_tiered = name == "tieredImagenet"
    return dataclasses.replace(
        load_published(name),
        image_size=32 if name in ("cifar_fs", "fc100") else SIZE,
        images=counts,
        images_per_class=None if is_tiered else PER_CLASS,
        classes=NAMES,
    )


def pixels_of(split, size=SIZE):
    """Random images of a split, class after class."""
    rng = np.random.default_rng(SPLITS.index(split))
    return rng.integers(0, 256, (PER_CLASS * len(NAMES[split]), size, size, 3), np.uint8)


def class_pixels(split, c):
    return pixels_of(split)[PER_CLASS * c : PER_CLASS * (c + 1)]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def each_class():
    return [(split, c, name) for split in SPLITS for c, name in enumerate(NAMES[split])]


def write_pools(folder):
    for split, c, name in each_class():
        for i, pixels in enumerate(class_pixels(split, c)):
            pool = "labeled" if i == 0 else "unlabeled"
            save(folder / f"{pool}_{split}" / name / f"{name}{i}.png", pixels)


def write_splits(folder):
    for split, c, name in each_class():
        for i, pixels in enumerate(class_pixels(split, c)):
            save(folder / split / name / f"{name}{i}.png", pixels)


def write_csv(folder):
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["filename", "label"])
            rows.writerows((f"{n}{i}.png", n) for n in NAMES[split] for i in range(PER_CLASS))
    for split, c, name in each_class():
        for i, pixels in enumerate(class_pixels(split, c)):
            save(folder / "images" / f"{name}{i}.png", pixels)


def mini_contents(split):
    rows = {n: list(range(PER_CLASS * c, PER_CLASS * (c + 1))) for c, n in enumerate(NAMES[split])}
    return {"image_data": pixels_of(split), "class_dict": rows}


def write_mini(folder, dump=pickle.dumps):
    for split in SPLITS:
        path = folder / f"mini-imagenet-cache-{split}.pkl"
        path.write_bytes(dump(mini_contents(split)))


def write_mini_row_arrays(folder):
    def dump(contents):
        rows = {name: np.array(rows) for name, rows in contents["class_dict"].items()}
        return pickle.dumps(contents | {"class_dict": rows})

    write_mini(folder, dump)


def write_mini_python_2(folder):
    write_mini(folder, python_2_bytes)


def tiered_labels(split):
    labels = np.repeat(np.arange(len(NAMES[split])), PER_CLASS).astype(np.int32)
    names = [f"House Finch {name}, linnet" for name in NAMES[split]]
    return {
        "label_specific": labels,
        "label_general": labels,
        "label_specific_str": names,
        "label_general_str": {3: "bird"},
    }


def write_tiered_labels(folder, dump=pickle.dumps):
    for split in SPLITS:
        (folder / f"{split}_labels.pkl").write_bytes(dump(tiered_labels(split)))


def png_array(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return np.frombuffer(file.getvalue(), np.uint8)


def write_tiered_png(folder, dump=pickle.dumps):
    write_tiered_labels(folder, dump)
    for split in SPLITS:
        # Some versions of OpenCV give a column.
        arrays = [png_array(pixels)[:, None] for pixels in pixels_of(split)]
        (folder / f"{split}_images_png.pkl").write_bytes(dump(arrays))


def write_tiered_png_python_2(folder):
    write_tiered_png(folder, python_2_bytes)


def write_tiered_npz(folder, write=np.savez):
    write_tiered_labels(folder)
    for split in SPLITS:
        write(folder / f"{split}_images.npz", images=pixels_of(split)[..., ::-1])


def write_tiered_compressed(folder):
    write_tiered_npz(folder, np.savez_compressed)


def written_classes(out, split):
    """The pixels of each class, labeled images first within their sorted names."""
    catalogue = layout.scan_split(out, split)
    for c, entry in enumerate(catalogue.classes):
        paths = {
            name: path_in(catalogue, pool, c, i)
            for pool in layout.POOLS
            for i, name in enumerate(getattr(entry, pool))
        }
        yield entry.name, np.stack([np.asarray(Image.open(paths[n])) for n in sorted(paths)])


def refuse(name, source, message, error=InputError):
    out = source.parent / "out" / "set"
    with pytest.raises(error, match=message) as caught:
        prepare_published(small(name), source, out)
    assert "\n" not in str(caught.value)
    assert not out.parent.exists() or not os.listdir(out.parent)


PIXELS = np.zeros((8, SIZE, SIZE, 3), np.uint8)
