import json

import pytest

from lst_tf2.datasets.build import prepare_published
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import read_files
from tests.datasets.readers.sources import refuse, small, write_pools, write_splits


def test_pools_of_the_source_are_kept_byte_for_byte(tmp_path):
    write_pools(tmp_path / "source")
    out = prepare_published(small("miniImagenet"), tmp_path / "source", tmp_path / "out").folder
    written = read_files(out)
    record = json.loads(written.pop("prepared.json"))
    assert written == read_files(tmp_path / "source")
    assert record["unlabeled_fraction"] is None
    with pytest.raises(InputError, match=r"no unlabeled_fraction, .* received 0\.3; leave"):
        prepare_published(
            small("miniImagenet"), tmp_path / "source", tmp_path / "b", unlabeled_fraction=0.3
        )


@pytest.mark.parametrize("write", [write_pools, write_splits])
def test_other_classes_are_refused(write, tmp_path):
    source = tmp_path / "source"
    write(source)
    pattern = "*labeled_val" if write is write_pools else "val"
    for folder in source.glob(pattern):
        (folder / "n05").rename(folder / "cat")
    refuse("miniImagenet", source, "2 published classes .* without 'n05', with 'cat'; get")


def test_missing_pool_and_empty_pool_are_named(tmp_path):
    write_pools(tmp_path / "source")
    for path in (tmp_path / "source" / "labeled_val" / "n04").iterdir():
        path.rename(tmp_path / "source" / "unlabeled_val" / "n04" / path.name)
    refuse("miniImagenet", tmp_path / "source", "received 4 in unlabeled alone; get")
    (tmp_path / "source" / "labeled_val").rename(tmp_path / "elsewhere")
    refuse(
        "miniImagenet", tmp_path / "source", "labeled_val, found no such folder", MissingInputError
    )


def test_too_few_images_are_refused(tmp_path):
    write_splits(tmp_path / "source")
    (tmp_path / "source" / "val" / "n04" / "n040.png").unlink()
    refuse(
        "miniImagenet", tmp_path / "source", "4 images of class 'n04', received 3; use a complete"
    )
    refuse("tieredImagenet", tmp_path / "source", "8 images of tieredImageNet val, received 7")


def test_broken_image_of_a_published_set_is_refused(tmp_path):
    write_splits(tmp_path / "source")
    (tmp_path / "source" / "val" / "n04" / "n040.png").write_bytes(b"broken")
    refuse(
        "miniImagenet", tmp_path / "source", r"image at val/n04/n040\.png, received one that can"
    )
