"""Tests of `data/lists.py`, `data/sampling.py`, `data/layout.py` and `structures.py`."""

import concurrent.futures
import contextlib
import dataclasses
import json
import shutil

import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import ARRAY_NAMES, list_folder, open_lists, sample_lists
from lst_tf2.data.sampling import distinct_indices
from lst_tf2.errors import InputError, MissingInputError
from tests.builders import path_in, write_data_set
from tests.faults import flip_bit, forget_checksums

EPISODE = EpisodeConfig(
    way=3, shot=2, queries_per_class=3, unlabeled_per_class=4, num_distractor_classes=2
)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    return write_data_set(tmp_path / "letters", classes_per_split=6, images_per_pool=8)


def config_of(folder, episode=EPISODE, num_episodes=20, seed=0, split="test"):
    return ListConfig(str(folder), split, episode, num_episodes, seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("way", "shot"), [(2, 1), (4, 1), (4, 5)])
def test_sets_are_balanced_and_disjoint(folder, way, shot, seed):
    episode = dataclasses.replace(EPISODE, way=way, shot=shot)
    lists = sample_lists(scan_split(folder, "test"), config_of(folder, episode, seed=seed))
    for index in range(len(lists)):
        labeled, unlabeled = lists.labeled_rows(index), lists.unlabeled_rows(index)
        distractors = lists.distractor_rows(index)
        assert labeled.shape == (way, shot + 3)
        assert np.shape(unlabeled) == (way, 4)
        assert np.shape(distractors) == (2, 4)
        everything = np.concatenate([labeled.ravel(), *unlabeled, *distractors])
        assert len(set(everything)) == len(everything)
        for label, entry in enumerate(lists.classes[index]):
            for row, i in zip(unlabeled[label], lists.unlabeled[index, label], strict=True):
                assert lists.catalogue.path(row) == path_in(lists.catalogue, "unlabeled", entry, i)
            for path, i in zip(
                lists.labeled_paths(index)[label], lists.labeled[index, label], strict=True
            ):
                assert path == path_in(lists.catalogue, "labeled", entry, i)
        classes = [*lists.classes[index], *lists.distractor_classes[index]]
        assert len(set(classes)) == way + 2


def test_draws_keep_no_memory_but_their_own():
    draws = distinct_indices(np.random.default_rng(0).random((4, 3)), np.full(4, 1000))
    assert draws.base is None


def test_every_image_is_as_likely(folder):
    lists = sample_lists(scan_split(folder, "test"), config_of(folder, num_episodes=3000))
    counts = np.bincount(lists.labeled.ravel(), minlength=8)
    expected = counts.sum() / 8
    # Five standard deviations of a binomial count.
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    class_counts = np.bincount(lists.classes.ravel(), minlength=6)
    assert np.abs(class_counts - class_counts.mean()).max() < 5 * np.sqrt(class_counts.mean())


def test_episode_is_the_same_in_a_longer_list_and_without_distractors(folder):
    catalogue = scan_split(folder, "test")
    longer = sample_lists(catalogue, config_of(folder, num_episodes=1100))
    shorter = sample_lists(catalogue, config_of(folder, num_episodes=1030))
    plain = dataclasses.replace(EPISODE, num_distractor_classes=0)
    without = sample_lists(catalogue, config_of(folder, plain, num_episodes=1030))
    for name in ("classes", "labeled", "unlabeled"):
        np.testing.assert_array_equal(getattr(longer, name)[:1030], getattr(shorter, name))
        np.testing.assert_array_equal(getattr(longer, name)[:1030], getattr(without, name))


def test_seed_and_split_change_the_episodes(folder):
    first = sample_lists(scan_split(folder, "test"), config_of(folder))
    seeded = sample_lists(scan_split(folder, "test"), config_of(folder, seed=1))
    val = sample_lists(scan_split(folder, "val"), config_of(folder, split="val"))
    assert not np.array_equal(first.labeled, seeded.labeled)
    assert not np.array_equal(first.labeled, val.labeled)


def test_lists_survive_storing(folder):
    drawn = open_lists(config_of(folder))
    loaded = open_lists(config_of(folder))
    for name in ARRAY_NAMES:
        np.testing.assert_array_equal(getattr(drawn, name), getattr(loaded, name))
    assert isinstance(loaded.labeled, np.memmap)


def test_lists_are_compact(folder):
    episode = EpisodeConfig(way=5, shot=1, queries_per_class=5, unlabeled_per_class=5)
    lists = sample_lists(scan_split(folder, "train"), config_of(folder, episode, 2000))
    stored = sum(getattr(lists, name).nbytes for name in ARRAY_NAMES)
    assert stored == 2000 * 2 * (5 + 5 * 6 + 5 * 5)


def test_removed_image_is_named(folder):
    open_lists(config_of(folder))
    removed = sorted((folder / "labeled_test").rglob("*.png"))[3]
    removed.unlink()
    with pytest.raises(InputError, match=rf"1 missing and 0 new \(first: .*{removed.name}"):
        open_lists(config_of(folder))


def test_every_damage_is_refused(folder):
    config = config_of(folder)
    lists = open_lists(config)
    rng = np.random.default_rng(0)
    stored = {path: path.read_bytes() for path in list_folder(config).iterdir()}
    assert len(stored) == 7
    for path, content in stored.items():
        for bit in rng.choice(8 * len(content), 60):
            flip_bit(path, bit)
            if path.name == "list.json":  # Only what it says of its origin may change unseen.
                with contextlib.suppress(InputError):
                    np.testing.assert_array_equal(open_lists(config).labeled, lists.labeled)
            else:
                with pytest.raises(InputError, match=f"{path.name} as it was stored"):
                    open_lists(config)
            path.write_bytes(content)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_header_is_told_where_there_is_no_checksum(folder, seed):
    config = config_of(folder)
    open_lists(config)
    forget_checksums(list_folder(config))
    path = list_folder(config) / "labeled.npy"
    content, rng = path.read_bytes(), np.random.default_rng(seed)
    for bit in rng.choice(8 * 80, 50):
        flip_bit(path, bit)
        with contextlib.suppress(InputError):
            open_lists(config)
        path.write_bytes(content)


def test_runs_that_start_together_open_the_same_lists(folder):
    config = config_of(folder)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        opened = [pool.submit(open_lists, config) for _ in range(4)]
    first, *others = (future.result() for future in opened)
    for other in others:
        np.testing.assert_array_equal(other.labeled, first.labeled)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "labeled.npy").write_bytes(b"\x93NUMPY"), "Expected an array in"),
        (lambda d: (d / "labeled.npy").unlink(), "Expected an array in"),
        (
            lambda d: np.save(d / "classes.npy", np.zeros([2, 3], np.uint16)),
            "received uint16 .2, 3",
        ),
        (lambda d: np.save(d / "classes.npy", np.full([20, 3], 99, np.uint16)), "larger ones"),
        (lambda d: (d / "list.json").write_text("{"), "Expected JSON"),
        (lambda d: (d / "list.json").write_text(json.dumps({"settings": 1})), "Expected lists"),
        (lambda d: (d / "files.txt").unlink(), "Expected file names"),
    ],
)
def test_damaged_lists_are_refused(folder, damage, message):
    config = config_of(folder)
    open_lists(config)
    forget_checksums(list_folder(config))
    damage(list_folder(config))
    with pytest.raises(InputError, match=message):
        open_lists(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"way": 5}, "at most 6 classes.*received way=5 and 2 distractor"),
        ({"shot": 6}, "Expected at least 9 images in .*labeled_test/.*received 8"),
        (
            {"unlabeled_per_class": 9},
            "at least 9 .*unlabeled_test/.*lower unlabeled_per_class",
        ),
    ],
)
def test_too_little_data_is_refused(folder, change, message):
    with pytest.raises(InputError, match=message):
        open_lists(config_of(folder, dataclasses.replace(EPISODE, **change)))
    assert not (folder / "episode_lists").exists()


def test_missing_folders_are_named(folder, tmp_path):
    with pytest.raises(MissingInputError, match="nowhere, found no folder"):
        scan_split(tmp_path / "nowhere", "train")
    with pytest.raises(MissingInputError, match=r"lst glyphs"):
        scan_split(tmp_path / "glyphs", "train")
    class_folder = next((folder / "labeled_val").iterdir())
    shutil.rmtree(class_folder)
    with pytest.raises(MissingInputError, match=rf"class folder .*{class_folder.name}"):
        scan_split(folder, "val")
    class_folder.mkdir()
    with pytest.raises(MissingInputError, match=r"Expected images .*found none"):
        scan_split(folder, "val")
    shutil.rmtree(folder / "labeled_val")
    with pytest.raises(MissingInputError, match="labeled_val, found no such folder"):
        scan_split(folder, "val")
