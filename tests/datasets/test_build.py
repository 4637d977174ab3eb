"""Tests of `datasets/build.py` and `datasets/fit_images.py`."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from lst_tf2.cli import prepare
from lst_tf2.config import SPLITS
from lst_tf2.data import layout
from lst_tf2.datasets import build, checksums, fit_images, writer
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import read_files, save_image, write_source

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
SMALL = writer.PrepareConfig(image_size=8)


def class_names(folder):
    return {
        split: {entry.name for entry in layout.scan_split(folder, split).classes}
        for split in SPLITS
    }


def convert(path, image_size):
    return fit_images.convert_image(fit_images.open_image(path.read_bytes()), image_size)


def pixel(path, x=4, y=4, image_size=8):
    image = convert(path, image_size)
    assert (image.mode, image.size) == ("RGB", (image_size, image_size))
    return image.getpixel((x, y))


# Any folder of classes.


def test_folder_gets_the_layout(tmp_path):
    source = write_source(tmp_path / "source", num_classes=10, num_images=5)
    report = build.prepare_folder(source, tmp_path / "out", config=SMALL)
    assert report.num_classes == {"train": 6, "val": 2, "test": 2}
    names = class_names(tmp_path / "out")
    assert {split: len(found) for split, found in names.items()} == report.num_classes
    assert set.union(*names.values()) == {f"class{c}" for c in range(10)}
    for split in SPLITS:
        for entry in layout.scan_split(tmp_path / "out", split).classes:
            assert (len(entry.labeled), len(entry.unlabeled)) == (3, 2)
            assert sorted(entry.labeled + entry.unlabeled) == [f"0000{i}_{i}.png" for i in range(5)]
    assert report.num_images["labeled_train"] == 18
    assert report.num_images["unlabeled_test"] == 4
    for path in (tmp_path / "out").rglob("*.png"):
        layout.check_image(path, 8)


def test_seed_determines_every_file(tmp_path):
    source = write_source(tmp_path / "source", num_classes=8, num_images=8)
    first, again, other = (
        read_files(
            build.prepare_folder(
                source, tmp_path / name, config=writer.PrepareConfig(8, 0.5, s)
            ).folder
        )
        for name, s in (("first", 3), ("again", 3), ("other", 4))
    )
    assert first == again
    assert set(first) != set(other)


def test_shares_of_100_classes_are_those_of_the_paper():
    splits = build.draw_splits([str(i) for i in range(100)], (0.64, 0.16, 0.2), seed=0)
    assert {split: len(names) for split, names in splits.items()} == {
        "train": 64,
        "val": 16,
        "test": 20,
    }


def test_record_names_settings_and_classes(tmp_path):
    source = write_source(tmp_path / "source")
    (source / "class0" / "notes.txt").write_text("not an image")
    out = build.prepare_folder(source, tmp_path / "out", config=SMALL).folder
    record = json.loads((out / checksums.RECORD_NAME).read_text())
    assert (record["seed"], record["image_size"], record["unlabeled_fraction"]) == (0, 8, 0.5)
    assert {split: set(names) for split, names in record["classes"].items()} == class_names(out)
    assert list(record["skipped"]) == ["class0/notes.txt"]


def test_names_that_differ_in_suffix_alone_are_both_kept(tmp_path):
    source = write_source(tmp_path / "source")
    save_image(source / "class0" / "0.jpg")
    save_image(source / "class0" / ("ä" * 124 + ".JPEG"))
    report = build.prepare_folder(source, tmp_path / "out", config=SMALL)
    assert sum(report.num_images.values()) == 5 * 4 + 2


# Images.


def test_centre_square_is_kept(tmp_path):
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, :8], wide[:, 8:16], wide[:, 16:] = RED, GREEN, BLUE
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    for name in ("wide.png", "tall.png"):
        image = np.asarray(convert(tmp_path / name, 8))
        assert (image == GREEN).all()
    assert pixel(tmp_path / "wide.png", image_size=16) == GREEN


def test_image_of_the_right_size_keeps_its_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(convert(tmp_path / "a.png", 32), pixels)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 0x6480, (0x64, 0x64, 0x64)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),
    ],
)
def test_every_mode_becomes_rgb_on_white(tmp_path, mode, colour, expected):
    assert pixel(save_image(tmp_path / "a.png", mode=mode, colour=colour)) == expected


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_transparent_colour_becomes_white(tmp_path, mode):
    key = 0 if mode == "P" else RED
    path = save_image(tmp_path / "a.png", mode=mode, colour=key, transparency=key)
    assert pixel(path) == (255, 255, 255)


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    path = save_image(tmp_path / "a.jpg", mode="CMYK", colour=(0, 255, 255, 0))
    np.testing.assert_allclose(pixel(path), RED, atol=4)


def test_exif_rotation_is_applied_and_metadata_dropped(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = RED
    exif = Image.Exif()
    exif[0x0112] = 6  # Shown turned a quarter clockwise: what was on top is on the right.
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path, exif=exif, icc_profile=b"profile")
    image = convert(path, 8)
    assert image.getpixel((7, 7)) == RED
    assert image.getpixel((0, 0)) == (0, 0, 0)
    image.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.info == {}
        assert not written.getexif()


def test_unreadable_files_are_skipped_and_listed(tmp_path, monkeypatch):
    source = write_source(tmp_path / "source")
    bad = source / "class1"
    (bad / "empty.png").touch()
    (bad / "text.jpg").write_text("no image")
    (bad / "cut.png").write_bytes((bad / "0.png").read_bytes()[:-30])
    (bad / "animation.gif").write_bytes(b"GIF89a")
    (bad / "folder.png").mkdir()
    (bad / "gone.png").symlink_to("nothing.png")
    os.mkfifo(bad / "pipe.png")
    save_image(bad / "warned.png", size=(30, 50))
    save_image(bad / "bomb.png", size=(100, 100))
    (bad / ".hidden.png").touch()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # An error from 2000 on.
    report = build.prepare_folder(source, tmp_path / "out", config=SMALL)
    names = {os.path.basename(name) for name, _ in report.skipped}
    assert names == {
        *("empty.png", "text.jpg", "cut.png", "animation.gif", "folder.png"),
        *("gone.png", "pipe.png", "warned.png", "bomb.png"),
    }
    assert sum(report.num_images.values()) == 20
    lines = prepare.summary_lines(report, max_shown=3)
    assert lines[0] == "Skipped 9 files:"
    assert "class1/animation.gif" in lines[1]
    assert "6 more" in lines[4]


def test_class_without_two_readable_images_is_refused(tmp_path):
    source = write_source(tmp_path / "source", num_images=2)
    (source / "class2" / "1.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"at least 2 images .*'class2', received 1"):
        build.prepare_folder(source, tmp_path / "out", config=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


# What is refused.


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_stays(tmp_path, kind):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    kept = out if kind == "file" else out / "kept.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    with pytest.raises(InputError, match="never overwritten; choose another folder"):
        build.prepare_folder(source, out, config=SMALL)
    assert kept.read_text() == "mine"


def test_empty_out_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    build.prepare_folder(write_source(tmp_path / "source"), tmp_path / "out", config=SMALL)
    assert (tmp_path / "out" / checksums.RECORD_NAME).is_file()


@pytest.mark.parametrize("source", ["", "nowhere"])
def test_missing_source_says_where_to_get_it(tmp_path, source):
    source = source and tmp_path / source
    with pytest.raises(MissingInputError, match="folder of class folders"):
        build.prepare_folder(source, tmp_path / "out")
    with pytest.raises(MissingInputError, match="CIFAR-100-dataset"):
        build.prepare_published("cifar_fs", source, tmp_path / "out")


def test_source_without_classes_or_images_is_refused(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(MissingInputError, match="Expected class folders"):
        build.prepare_folder(tmp_path / "source", tmp_path / "out")
    (tmp_path / "source" / "cat").mkdir()
    with pytest.raises(InputError, match="'cat', received 0"):
        build.prepare_folder(tmp_path / "source", tmp_path / "out")


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.3, 0.3), (1.2, -0.4, 0.2), (float("nan"),) * 3]
)
def test_bad_shares_are_refused(tmp_path, shares):
    with pytest.raises(InputError, match="Expected shares of the classes"):
        build.prepare_folder(tmp_path, tmp_path / "out", shares=shares)


def test_too_few_classes_are_refused(tmp_path):
    source = write_source(tmp_path / "source", num_classes=2)
    with pytest.raises(InputError, match=r"enough classes .* received 2"):
        build.prepare_folder(source, tmp_path / "out", config=SMALL)


@pytest.mark.parametrize(
    "changes", [{"image_size": 7}, {"seed": -1}, *({"unlabeled_fraction": f} for f in (0, 1, 2))]
)
def test_bad_recipe_is_refused(changes):
    with pytest.raises(InputError, match=f"Expected .*{next(iter(changes)).split('_')[0]}"):
        writer.PrepareConfig(**changes)


@pytest.mark.parametrize("is_folder", [True, False])
def test_link_out_of_the_source_is_refused(tmp_path, is_folder):
    source, secret = write_source(tmp_path / "source"), save_image(tmp_path / "other" / "a.png")
    link = source / "linked" if is_folder else source / "class0" / "linked.png"
    link.symlink_to(secret.parent if is_folder else secret)
    with pytest.raises(InputError, match=r"received link .*linked.* to .*other"):
        build.prepare_folder(source, tmp_path / "out", config=SMALL)


def test_link_within_the_source_is_followed(tmp_path):
    source = write_source(tmp_path / "source")
    (source / "class0" / "linked.png").symlink_to("0.png")
    (tmp_path / "link").symlink_to(source)
    report = build.prepare_folder(tmp_path / "link", tmp_path / "out", config=SMALL)
    assert sum(report.num_images.values()) == 21
