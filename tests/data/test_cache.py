"""The three ways to keep decoded images, and the packed file of one of them."""

import concurrent.futures
import os
import pathlib
import shutil
import sys
import types
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data import cache, pipeline
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import arrange_as_paper, arrange_for_training
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import sample_lists
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import write_data_set
from tests.faults import InterruptingText, visible

SIDE = 16


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    folder = write_data_set(tmp_path / "letters", classes_per_split=5)
    for path in sorted(folder.rglob("*.png"))[::2]:  # Both formats, side by side.
        Image.open(path).save(path.with_suffix(".jpg"), quality=90)
        path.unlink()
    return folder


def catalogue_of(folder, split="test"):
    return scan_split(folder, split)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def packed_folders(folder):
    return visible(folder / cache.CACHE_FOLDER)


def streams(catalogue, source):
    """Yields what the three streams give."""
    episode = EpisodeConfig(3, 2, 2, unlabeled_per_class=4, num_distractor_classes=2)
    config = ListConfig(str(catalogue.folder), "test", episode, 6)
    lists = sample_lists(catalogue, config)
    yield from pipeline.stream_episodes(lists, arrange_as_paper, range(2, 5), source)
    yield from pipeline.stream_meta_batches(lists, arrange_for_training, range(2), 2, source)
    yield from pipeline.stream_image_batches(catalogue, range(5), 20, source, seed=0)


@pytest.mark.slow
def test_all_streams_are_the_same_whatever_keeps_the_images(folder):
    catalogue = catalogue_of(folder)
    sources = [open_images(catalogue, SIDE, name) for name in ("none", "ram", "packed")]
    for first, *others in zip(*(streams(catalogue, source) for source in sources), strict=True):
        for other in others:
            pairs = zip(tf.nest.flatten(first), tf.nest.flatten(other), strict=True)
            for expected, actual in pairs:
                assert expected.dtype == actual.dtype
                np.testing.assert_array_equal(expected, actual)


def test_packed_file_holds_the_pixels_in_the_order_of_the_names(folder, capsys):
    catalogue = catalogue_of(folder)
    open_images(catalogue, SIDE, "packed")
    assert "packing test 60/60" in capsys.readouterr().err
    (packed,) = packed_folders(folder)
    assert packed.name.startswith("test_16px_")
    names = (packed / "files.txt").read_text().splitlines()
    assert names == list(catalogue.names)
    images = np.fromfile(packed / "images.u8", np.uint8).reshape(-1, SIDE, SIDE, 3)
    np.testing.assert_array_equal(images, [pixels(folder / name) for name in names])


def test_files_are_decoded_once(folder, capsys):
    first = open_images(catalogue_of(folder), SIDE, "packed")
    assert "packing test" in capsys.readouterr().err
    again = open_images(catalogue_of(folder), SIDE, "packed")
    rows = np.arange(60)
    np.testing.assert_array_equal(first.gather(rows), again.gather(rows))
    assert capsys.readouterr().err == ""


def replace_image(path):
    Image.new("RGB", (SIDE, SIDE), "teal").save(path)


def touch_image(path):
    os.utime(path, ns=(1, 1))


def add_image(path):
    Image.new("RGB", (SIDE, SIDE)).save(path.with_name("a_new_one.png"))


@pytest.mark.parametrize("change", [replace_image, touch_image, add_image, os.remove])
def test_changed_data_set_is_packed_again_in_place_of_the_former(folder, change, capsys):
    open_images(catalogue_of(folder), SIDE, "packed")
    (former,) = packed_folders(folder)
    change(sorted((folder / "labeled_test").rglob("*.png"))[0])
    capsys.readouterr()
    catalogue = catalogue_of(folder)
    images = open_images(catalogue, SIDE, "packed").gather(np.arange(len(catalogue.names)))
    np.testing.assert_array_equal(images, [pixels(folder / n) for n in catalogue.names])
    assert f"Removed {former}, packed before image files changed" in capsys.readouterr().err
    (packed,) = packed_folders(folder)
    assert packed != former


@pytest.mark.parametrize("kept", ["ram", "packed"])
@pytest.mark.parametrize(("place", "name"), [(0, "class20"), (59, "class24")])
def test_broken_image_is_named_and_nothing_is_left(folder, kept, place, name):
    catalogue = catalogue_of(folder)
    path = pathlib.Path(catalogue.path(place))
    path.write_bytes(b"not an image")
    with pytest.raises(InputError, match=f"{name}/{path.name}, received a file that cannot be"):
        open_images(catalogue, SIDE, kept)
    base = folder / cache.CACHE_FOLDER
    assert not base.exists() or not visible(base)


def test_image_removed_meanwhile_is_named(folder):
    catalogue = catalogue_of(folder)
    os.remove(catalogue.path(3))
    with pytest.raises(MissingInputError, match=f"{catalogue.names[3]}.*restore it"):
        open_images(catalogue, SIDE, "packed")


def test_interrupted_packing_leaves_nothing(folder, monkeypatch):
    monkeypatch.setattr(sys, "stderr", InterruptingText("packing test"))
    with pytest.raises(KeyboardInterrupt):
        open_images(catalogue_of(folder), SIDE, "packed")
    assert packed_folders(folder) == []


def test_two_runs_that_start_together_pack_once(folder, capsys):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        opened = [pool.submit(open_images, catalogue_of(folder), SIDE, "packed") for _ in range(2)]
    first, second = (future.result().gather(np.arange(60)) for future in opened)
    np.testing.assert_array_equal(first, second)
    assert capsys.readouterr().err.count("packing test 60/60") == 1
    assert len(packed_folders(folder)) == 1


def test_packing_that_was_killed_is_cleared_away(folder):
    half = folder / cache.CACHE_FOLDER / ".train_16px_0.abc.tmp"
    half.mkdir(parents=True)
    (half / "images.u8").write_bytes(bytes(1000))
    open_images(catalogue_of(folder), SIDE, "packed")
    assert not half.exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\0")


def spoil_record(path):
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("images.u8", cut, "46080 bytes in .*received 46079"),
        ("images.u8", lengthen, "46080 bytes in .*received 46081"),
        ("images.u8", os.remove, "received no such file"),
        ("checksums.u32", cut, "240 bytes in .*received 239"),
        ("record.json", os.remove, "received no such file"),
        ("record.json", cut, "or no JSON"),
        ("record.json", lambda path: path.write_text("[1]"), "or no JSON"),
        ("record.json", lambda path: path.write_bytes(b"\xff\xfe"), "or no JSON"),
        ("record.json", spoil_record, "'version': 1.*received .*'version': 2"),
    ],
)
def test_damaged_packed_split_is_refused(folder, name, damage, message):
    open_images(catalogue_of(folder), SIDE, "packed")
    (packed,) = packed_folders(folder)
    if name == "record.json" and damage is cut:
        cut(packed / name)  # The first cut takes the line break alone.
        cut(packed / name)
    damage(packed / name)
    with pytest.raises(InputError, match=message) as caught:
        open_images(catalogue_of(folder), SIDE, "packed")
    assert f"remove {packed} to pack the images again" in str(caught.value)


def test_changed_pixel_is_found_when_its_image_is_used(folder):
    open_images(catalogue_of(folder), SIDE, "packed")
    (packed,) = packed_folders(folder)
    content = bytearray((packed / "images.u8").read_bytes())
    content[30 * SIDE * SIDE * 3] ^= 1
    (packed / "images.u8").write_bytes(content)
    catalogue = catalogue_of(folder)
    source = open_images(catalogue, SIDE, "packed")
    stream = pipeline.stream_image_batches(catalogue, range(3), 20, source, seed=0)
    with pytest.raises(InputError, match=r"Expected image 30 of .*received other bytes; remove"):
        list(stream)


def test_file_cut_while_in_use_is_noticed(folder):
    source = open_images(catalogue_of(folder), SIDE, "packed")
    source.gather(np.arange(60))
    os.truncate(packed_folders(folder)[0] / "images.u8", 46079)
    source.gather(np.arange(59))
    with pytest.raises(InputError, match="Expected image 59 of"):
        source.gather(np.arange(60))


def test_folder_that_cannot_be_written_names_the_other_caches(folder):
    (folder / cache.CACHE_FOLDER).write_text("in the way")
    with pytest.raises(InputError, match="the cache `ram` or `none`, or make that folder"):
        open_images(catalogue_of(folder), SIDE, "packed")
    open_images(catalogue_of(folder), SIDE, "ram")


def test_too_little_room_is_said_before_any_work(folder, monkeypatch):
    usage = types.SimpleNamespace(free=46079)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"4.61e-05 GB of free disk.*make room or choose"):
        open_images(catalogue_of(folder), SIDE, "packed")
    assert packed_folders(folder) == []

    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(cache.np, "empty", refuse)
    with pytest.raises(InputError, match=r"GB of free memory for split 'test'.*cache `packed`"):
        open_images(catalogue_of(folder), SIDE, "ram")


def test_unknown_cache_is_refused(folder):
    with pytest.raises(InputError, match="cache to be one of none, ram, packed"):
        open_images(catalogue_of(folder), SIDE, "disk")


def memory_in_use():
    """Returns the bytes of this process that are its own, and those of mapped files."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return [int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile")]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what memory is in use")
def test_tiered_image_net_takes_little_memory(tmp_path):
    shape = (448_695, 84, 84, 3)
    with open(tmp_path / "images.u8", "wb") as file:
        file.truncate(np.prod(shape))  # Holes take no room on the disk.
    checksum = zlib.crc32(bytes(84 * 84 * 3))
    np.full(shape[0], checksum, "<u4").tofile(tmp_path / "checksums.u32")
    before = memory_in_use()
    source, rng = cache.PackedImages(tmp_path, shape), np.random.default_rng(0)
    used = []
    for _ in range(100):
        assert source.gather(rng.integers(0, shape[0], 130)).shape == (130, 84, 84, 3)
        used.append(memory_in_use())
    # Of the 275 MB that were read.
    assert (np.max(used, axis=0) - before < 100e6).all()
