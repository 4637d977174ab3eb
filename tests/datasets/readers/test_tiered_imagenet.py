import os
import pickle

import numpy as np
import pytest

from lst_tf2.datasets.build import prepare_published
from lst_tf2.errors import MissingInputError
from tests.datasets.readers.sources import (
    PIXELS,
    refuse,
    small,
    tiered_labels,
    write_tiered_npz,
    write_tiered_png,
)


def tiered_fault(**changes):
    return tiered_labels("val") | changes


TIERED_FAULTS = {
    "labels missing": ({"label_specific_str": ["a", "b"]}, "label_specific"),
    "too few labels": (tiered_fault(label_specific=np.zeros(7, np.int32)), "not 8 labels"),
    "labels outside": (tiered_fault(label_specific=np.full(8, 2)), "outside of 2 classes"),
    "labels of another type": (tiered_fault(label_specific=np.zeros(8)), "float64 of"),
    "labels without array": (tiered_fault(label_specific=[0] * 8), "list in place of the array"),
    "other number of classes": (
        tiered_fault(label_specific_str=["a", "b", "c"]),
        r"2 classes in val_labels\.pkl, received 3; get",
    ),
    "names are numbers": (tiered_fault(label_specific_str=[1, 2]), "int in place of text"),
    "no names": (tiered_fault(label_specific_str=3), "'label_specific_str' is a int"),
}


@pytest.mark.parametrize("fault", TIERED_FAULTS)
def test_broken_tiered_labels_are_refused(fault, tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    contents, message = TIERED_FAULTS[fault]
    (tmp_path / "source" / "val_labels.pkl").write_bytes(pickle.dumps(contents))
    refuse("tieredImagenet", tmp_path / "source", message)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"a": 1}, "dict in place of a list"),
        ([np.zeros(9, np.uint8)] * 8, r"entry 0 of val_images_png\.pkl, received one that cannot"),
        ([np.zeros(9)] * 8, "float64"),
        ([3] * 8, "int in place of the array"),
    ],
)
def test_broken_tiered_images_are_refused(images, message, tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    (tmp_path / "source" / "val_images_png.pkl").write_bytes(pickle.dumps(images))
    refuse("tieredImagenet", tmp_path / "source", message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": PIXELS}, r"images\.npy"),
        ({"images": PIXELS / 2}, "float64 of"),
        ({"images": PIXELS[0]}, r"uint8 of \(8, 8, 3\)"),
        ({"images": np.array([{}], dtype=object)}, "object of"),
    ],
)
def test_broken_arrays_are_refused(arrays, message, tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_npz(tmp_path / "source")
    np.savez(tmp_path / "source" / "val_images.npz", **arrays)
    refuse("tieredImagenet", tmp_path / "source", message)


def test_descriptions_cannot_lead_anywhere(tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    labels = tiered_fault(label_specific_str=["../../x", "/etc\0\n"])
    (tmp_path / "source" / "val_labels.pkl").write_bytes(pickle.dumps(labels))
    out = prepare_published(small("tieredImagenet"), tmp_path / "source", tmp_path / "out").folder
    assert sorted(os.listdir(out / "labeled_val")) == ["000_x", "001_etc"]


def test_missing_tiered_images_are_named(tmp_path):
    (tmp_path / "source").mkdir()
    write_tiered_png(tmp_path / "source")
    (tmp_path / "source" / "val_images_png.pkl").unlink()
    refuse(
        "tieredImagenet", tmp_path / "source", "or val_images.npz in .*neither", MissingInputError
    )
