"""Tests of `datasets/writer.py`, `datasets/checksums.py`, `datasets/partial_folder.py`,
`datasets/source.py` and `progress.py`.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lst_tf2.datasets import checksums, partial_folder
from lst_tf2.datasets.fit_images import fit_array, fit_file
from lst_tf2.datasets.source import SourceClass, WholeImages
from lst_tf2.datasets.writer import PrepareConfig, draw_unlabeled, free_folder, write_dataset
from lst_tf2.errors import InputError
from tests.builders import FakeImages, fake_classes, read_files

SMALL = PrepareConfig(image_size=8)


def names_in(folder):
    return sorted(os.listdir(folder))


# Pools.


def test_pools_of_a_class_do_not_depend_on_other_classes():
    drawn = draw_unlabeled("cat", 20, SMALL)
    assert len(drawn) == 10
    assert drawn == draw_unlabeled("cat", 20, SMALL)
    assert drawn != draw_unlabeled("dog", 20, SMALL)


@pytest.mark.parametrize(("fraction", "count"), [(0.01, 1), (0.3, 3), (0.99, 9)])
def test_both_pools_get_images(fraction, count):
    assert len(draw_unlabeled("cat", 10, PrepareConfig(unlabeled_fraction=fraction))) == count


def test_pools_of_the_source_are_kept(tmp_path):
    pools = ["unlabeled", "labeled", "unlabeled"]
    entry = SourceClass("cat", "val", ["a", "b", "a.b"], FakeImages(0), pools)
    report = write_dataset(tmp_path / "out", [entry], SMALL)
    assert names_in(tmp_path / "out" / "unlabeled_val" / "cat") == ["a.b.png", "a.png"]
    assert report.num_images["labeled_val"] == 1


def test_images_of_one_name_are_refused(tmp_path):
    entry = SourceClass("cat", "val", ["a", "a"], FakeImages(0))
    with pytest.raises(InputError, match=r"class 'cat', received two called 'a\.png'"):
        write_dataset(tmp_path / "out", [entry], SMALL)
    assert names_in(tmp_path) == []


# Files.


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_image_that_fits_is_copied_byte_for_byte(tmp_path, suffix):
    Image.new("RGB", (8, 8), (200, 3, 4)).save(tmp_path / f"a{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    assert fit_file(content, 8) == (suffix, content)
    assert fit_file(content, 9).suffix == ".png"


def test_turned_image_is_not_copied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert fit_file((tmp_path / "a.jpg").read_bytes(), 8).suffix == ".png"


def test_file_of_several_pictures_is_converted(tmp_path):
    pictures = [Image.new("RGB", (8, 8), (c, 0, 0)) for c in (200, 10)]
    pictures[0].save(tmp_path / "a.mpo", save_all=True, append_images=pictures[1:])
    suffix, content = fit_file((tmp_path / "a.mpo").read_bytes(), 8)
    (tmp_path / "a.png").write_bytes(content)
    assert suffix == ".png"
    assert Image.open(tmp_path / "a.png").getpixel((0, 0))[0] > 190


def test_array_keeps_its_pixels_in_rgb(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    suffix, content = fit_array(pixels, 8)
    (tmp_path / f"a{suffix}").write_bytes(content)
    np.testing.assert_array_equal(Image.open(tmp_path / "a.png"), pixels)


# Resuming.


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "disk full")])
def test_interrupted_run_is_gone_on_with(tmp_path, capsys, error):
    whole = write_dataset(tmp_path / "whole", fake_classes(), SMALL)
    with pytest.raises(type(error)):
        write_dataset(tmp_path / "out", fake_classes(class1={2: error}), SMALL)
    assert names_in(tmp_path) == [".out.partial", "whole"]
    classes = fake_classes()
    report = write_dataset(tmp_path / "out", classes, SMALL)
    assert [entry.images.num_read for entry in classes] == [0, 4, 4]
    assert names_in(tmp_path) == ["out", "whole"]
    assert read_files(tmp_path / "out") == read_files(tmp_path / "whole")
    assert report[1:] == whole[1:]
    assert f"Going on with {tmp_path / '.out.partial'}" in capsys.readouterr().err


def interrupt(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "out", fake_classes(class2={0: KeyboardInterrupt()}), SMALL)
    return tmp_path / ".out.partial"


@pytest.mark.parametrize("damage", ["lost", "cut", "added"])
def test_class_that_changed_since_is_written_again(tmp_path, damage):
    folder = interrupt(tmp_path) / "labeled_train" / "class0"
    path = next(folder.iterdir())
    if damage == "lost":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(b"")
    else:
        (folder / "x.png").touch()
    classes = fake_classes()
    write_dataset(tmp_path / "out", classes, SMALL)
    assert [entry.images.num_read for entry in classes] == [4, 0, 4]
    assert checksums.verify_dataset(tmp_path / "out") == 3


def test_cut_line_costs_one_class(tmp_path):
    path = interrupt(tmp_path) / partial_folder.CLASSES_NAME
    path.write_text(path.read_text()[:-9])
    classes = fake_classes()
    write_dataset(tmp_path / "out", classes, SMALL)
    assert [entry.images.num_read for entry in classes] == [0, 4, 4]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": PrepareConfig(8, 0.25)}, "another unlabeled_fraction;"),
        ({"config": PrepareConfig(9, 0.5, 1)}, "another image_size, seed;"),
        ({"classes": fake_classes(num_images=5)}, "another source;"),
        ({"classes": fake_classes(num_classes=4)}, "another source;"),
    ],
)
def test_other_plan_is_refused_and_nothing_lost(tmp_path, change, named):
    before = read_files(interrupt(tmp_path))
    with pytest.raises(InputError, match=named):
        write_dataset(
            tmp_path / "out", change.get("classes", fake_classes()), change.get("config", SMALL)
        )
    assert read_files(tmp_path / ".out.partial") == before


def test_source_that_changed_is_another_source(tmp_path):
    interrupt(tmp_path)
    classes = fake_classes()
    classes[0].images.text = "newer"
    with pytest.raises(InputError, match="received another source; give the same"):
        write_dataset(tmp_path / "out", classes, SMALL)


def test_two_runs_at_once_are_refused(tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from lst_tf2.datasets.partial_folder import resume_folder\n"
        "with resume_folder(pathlib.Path(sys.argv[1]), {}):\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout.readline() == b"ready\n"
    with pytest.raises(InputError, match=r"to be free, received one that process .* writes to"):
        write_dataset(tmp_path / "out", fake_classes(), SMALL)
    other.communicate()


def test_run_that_was_killed_right_after_the_rename_is_taken_as_done(tmp_path, monkeypatch):
    def killed(self, **_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(tmp_path / "out", fake_classes(), SMALL)
    assert (tmp_path / "out" / "prepared.json").is_file()
    assert free_folder(tmp_path / "out") == tmp_path / "out"
    with pytest.raises(InputError, match="received another seed"):
        write_dataset(tmp_path / "out", fake_classes(), dataclasses.replace(SMALL, seed=9))
    again = write_dataset(tmp_path / "out", fake_classes(), SMALL)
    fresh = write_dataset(tmp_path / "fresh", fake_classes(), SMALL)
    assert again.num_images == fresh.num_images
    assert names_in(tmp_path / "out") == names_in(tmp_path / "fresh")
    with pytest.raises(InputError, match="files that are never overwritten"):
        free_folder(tmp_path / "out")


def test_refused_image_leaves_nothing(tmp_path):
    classes = fake_classes(class1={0: InputError("Expected better.")})
    with pytest.raises(InputError, match="better"):
        write_dataset(tmp_path / "out", classes, SMALL)
    assert names_in(tmp_path) == []


def test_progress_starts_where_the_last_run_stopped(tmp_path, capsys):
    interrupt(tmp_path)
    capsys.readouterr()
    write_dataset(tmp_path / "out", fake_classes(), SMALL)
    counts = re.findall(r"^images (\d+)/12 ", capsys.readouterr().err, re.MULTILINE)
    assert counts == ["9", "10", "11", "12"]


# What cannot be decoded.


def test_published_set_has_to_be_whole(tmp_path):
    images = WholeImages(FakeImages(0, {1: ValueError("cut\nshort")}))
    entry = SourceClass("cat", "val", list("abc"), images)
    with pytest.raises(
        InputError, match=r"an image at row 1, received .* \(cut short\); use a complete"
    ):
        write_dataset(tmp_path / "out", [entry], SMALL)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("wrap", [WholeImages, lambda images: images])
def test_failing_disk_is_not_a_broken_image(tmp_path, wrap):
    images = wrap(FakeImages(0, {1: OSError(5, "input/output error")}))
    with pytest.raises(OSError, match="input/output error"):
        write_dataset(tmp_path / "out", [SourceClass("cat", "val", list("abc"), images)], SMALL)


# Checksums.


def test_checksum_is_over_the_listing_of_sha256sum(tmp_path):
    out = write_dataset(tmp_path / "out", fake_classes(), SMALL).folder
    files = read_files(out)
    listing = "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n"
        for name in sorted(files)
        if "/class1/" in name
    )
    recorded = json.loads(files[checksums.RECORD_NAME])["sha256"]["val"]
    assert recorded == {"class1": hashlib.sha256(listing.encode()).hexdigest()}


def test_changed_data_set_is_found_out(tmp_path):
    out = write_dataset(tmp_path / "out", fake_classes(), SMALL).folder
    assert checksums.verify_dataset(out) == 3
    path = next((out / "unlabeled_test" / "class2").iterdir())
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(
        InputError, match="received 1 of 3 classes that differ, such as test/class2"
    ):
        checksums.verify_dataset(out)
    (out / checksums.RECORD_NAME).write_text('{"sha256": 3}')
    with pytest.raises(InputError, match="Expected JSON in"):
        checksums.verify_dataset(out)
