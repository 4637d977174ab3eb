"""Every form of source becomes the same layout; what is of none, of two or cut is refused."""

import numpy as np
import pytest

from lst_tf2.config import SPLITS
from lst_tf2.data import layout
from lst_tf2.datasets.build import prepare_published
from lst_tf2.datasets.readers.forms import FORMS
from lst_tf2.errors import MissingInputError
from tests.datasets.readers.sources import (
    NAMES,
    PER_CLASS,
    SIZE,
    class_pixels,
    refuse,
    save,
    small,
    write_csv,
    write_mini,
    write_mini_python_2,
    write_mini_row_arrays,
    write_pools,
    write_splits,
    write_tiered_compressed,
    write_tiered_npz,
    write_tiered_png,
    write_tiered_png_python_2,
    written_classes,
)

IMAGENET = {
    "pools": ("miniImagenet", write_pools),
    "splits": ("miniImagenet", write_splits),
    "csv": ("miniImagenet", write_csv),
    "mini": ("miniImagenet", write_mini),
    "mini of Python 2": ("miniImagenet", write_mini_python_2),
    "mini with arrays of rows": ("miniImagenet", write_mini_row_arrays),
    "tiered pools": ("tieredImagenet", write_pools),
    "tiered png": ("tieredImagenet", write_tiered_png),
    "tiered png of Python 2": ("tieredImagenet", write_tiered_png_python_2),
    "tiered npz": ("tieredImagenet", write_tiered_npz),
    "tiered compressed": ("tieredImagenet", write_tiered_compressed),
}


@pytest.mark.parametrize("form", IMAGENET)
def test_every_form_gives_the_same_images(form, tmp_path):
    name, write = IMAGENET[form]
    source = tmp_path / "source"
    source.mkdir()
    write(source)
    report = prepare_published(small(name), source, tmp_path / "out")
    assert report.num_classes == {"train": 3, "val": 2, "test": 2}
    assert sum(report.num_images.values()) == 7 * PER_CLASS
    for split in SPLITS:
        found = list(written_classes(tmp_path / "out", split))
        for c, (_, pixels) in enumerate(found):
            np.testing.assert_array_equal(pixels, class_pixels(split, c))
        named = [class_name for class_name, _ in found]
        if form in ("tiered png", "tiered npz"):
            assert named[1] == f"001_house_finch_{NAMES[split][1]}_linnet"
        elif "tiered png" not in form and form != "tiered compressed":
            assert named == NAMES[split]


@pytest.mark.parametrize(("name", "labeled"), [("miniImagenet", 2), ("tieredImagenet", 1)])
def test_unlabeled_share_is_that_of_the_paper(name, labeled, tmp_path):
    # 0.6 of 4 is 2; 0.9 of 4 leaves one.
    write_splits(tmp_path / "source")
    report = prepare_published(small(name), tmp_path / "source", tmp_path / "out")
    assert report.num_images["labeled_val"] == 2 * labeled


def test_images_of_another_size_are_resized(tmp_path):
    write_splits(tmp_path / "source")
    save(tmp_path / "source" / "val" / "n04" / "n040.png", np.zeros((20, 30, 3), np.uint8))
    out = prepare_published(small("miniImagenet"), tmp_path / "source", tmp_path / "out").folder
    for path in out.rglob("*.png"):
        layout.check_image(path, SIZE)


@pytest.mark.parametrize("name", FORMS)
def test_source_of_no_form_is_told_the_forms(name, tmp_path):
    (tmp_path / "source").mkdir()
    refuse(name, tmp_path / "source", "received none of them; pass the folder or file that holds")
    refuse(
        name, tmp_path / "nothing", r"found nothing at .*with one of: .*https://", MissingInputError
    )


def test_source_of_two_forms_is_refused(tmp_path):
    write_pools(tmp_path / "source")
    write_mini(tmp_path / "source")
    refuse("miniImagenet", tmp_path / "source", r"received {labeled.* and mini-imagenet-cache")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    ("write", "name", "file"),
    [
        (write_mini, "miniImagenet", "mini-imagenet-cache-test.pkl"),
        (write_tiered_png, "tieredImagenet", "test_images_png.pkl"),
        (write_tiered_png, "tieredImagenet", "test_labels.pkl"),
        (write_tiered_npz, "tieredImagenet", "test_images.npz"),
        (write_tiered_compressed, "tieredImagenet", "test_images.npz"),
    ],
)
def test_cut_file_is_refused(write, name, file, share, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source)
    content = (source / file).read_bytes()
    (source / file).write_bytes(content[: int(share * len(content))])
    refuse(name, source, rf"Expected .*{file}, received something else or a damaged file")
