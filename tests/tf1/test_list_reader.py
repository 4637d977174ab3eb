"""The original's lists, against `tests/golden/episodes_a`, recorded from it."""

import dataclasses

import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.lists import ARRAY_NAMES, load_lists, save_lists
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.tf1 import list_reader
from tests.tf1.recorded_lists import (
    DISTRACTORS,
    QUERIES,
    UNLABELED,
    alter,
    assert_evaluated_as_recorded,
    assert_trained_as_recorded,
    tree_catalogue,
    write_python2_list,
    write_recorded_lists,
)


def list_config(split, count=10, distractors=0, unlabeled=None, **changes):
    unlabeled = unlabeled or (100 if split == "test" else 2)
    episode = EpisodeConfig(5, 1, QUERIES[split], unlabeled, distractors)
    return ListConfig("letters", split, dataclasses.replace(episode, **changes), count)


def read(folder, split="test", **settings):
    config = list_config(split, **settings)
    return list_reader.read_tf1_lists(folder, config, tree_catalogue(split))


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    return write_recorded_lists(tmp_path)


@pytest.mark.parametrize(("split", "distractors"), [("test", 0), ("test", 3), ("val", 0)])
def test_evaluation_episodes_are_fed_as_recorded(folder, split, distractors):
    assert_evaluated_as_recorded(read(folder, split, distractors=distractors))


def test_training_episodes_are_fed_as_recorded(folder):
    assert_trained_as_recorded(read(folder, "train"))


@pytest.mark.parametrize(
    "foreign",
    [
        lambda names: np.char.replace(names, ".//data", "/home/someone/x/data"),
        lambda names: names.astype("S"),
        lambda names: np.char.replace(np.char.replace(names, ".//", "C:/my data/"), "/", "\\"),
        lambda names: np.char.replace(names, "/n0", "//n0"),
    ],
    ids=["absolute", "bytes", "windows", "doubled"],
)
def test_foreign_roots_give_the_same_lists(folder, foreign):
    expected = read(folder, distractors=7)
    for path in folder.rglob("*_filenames.npy"):
        alter(path, foreign)
    assert foreign(np.array([".//data/n0"]))[0] != ".//data/n0"
    found = read(folder, distractors=7)
    for name in ARRAY_NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_list_of_python2_is_read_without_a_warning(folder, recwarn):
    expected = read(folder)
    write_python2_list(folder / "test_filenames.npy")
    np.testing.assert_array_equal(read(folder).labeled, expected.labeled)
    assert not recwarn.list


def test_fewer_episodes_and_images_are_the_first_ones(folder):
    whole, part = read(folder, distractors=7), read(folder, count=4, distractors=2, unlabeled=30)
    assert len(part) == 4
    np.testing.assert_array_equal(part.labeled, whole.labeled[:4])
    np.testing.assert_array_equal(part.unlabeled, whole.unlabeled[:4, :, :30])
    np.testing.assert_array_equal(part.distractors, whole.distractors[:4, :2, :30])
    np.testing.assert_array_equal(part.distractor_classes, whole.distractor_classes[:4, :2])


@pytest.mark.parametrize("distractors", [0, 2])
def test_lists_can_be_stored_and_loaded(folder, distractors):
    lists = read(folder, distractors=distractors)
    save_lists(lists, folder / "stored")
    loaded = load_lists(folder / "stored", lists.catalogue, lists.config)
    for name in ARRAY_NAMES:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(lists, name))


def test_images_that_are_not_there_are_counted_once_each(folder):
    catalogue = tree_catalogue("test")
    entry = dataclasses.replace(catalogue.classes[0], unlabeled=("other.jpg",))
    catalogue = dataclasses.replace(catalogue, classes=(entry, *catalogue.classes[1:]))
    first = "unlabeled_test/n00000200/n00000200_u_0000.jpg, unlabeled_test/n00000200/"
    with pytest.raises(InputError, match=rf"100 missing of \d+ \(first: {first}.*; use the images"):
        list_reader.read_tf1_lists(folder, list_config("test", distractors=7), catalogue)


def test_image_of_the_wrong_pool_is_missing(folder):
    alter(folder / UNLABELED, lambda names: np.char.replace(names, "unlabeled_test", "train"))
    with pytest.raises(InputError, match=r"missing of .*first: train/n000002"):
        read(folder)


def test_labeled_image_among_the_unlabeled_ones_is_missing(folder):
    # The pools number their images alike: taken for a number, it would be another image.
    labeled = np.load(folder / "test_filenames.npy")[0]
    alter(folder / UNLABELED, lambda names: np.concatenate([[labeled], names[1:]]))
    with pytest.raises(InputError, match=r" 1 missing of .*first: labeled_test/n000002"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("test_filenames.npy", lambda a: a[:-1], "episodes of 5 x 2 = 10 names.*99 names; pass"),
        (UNLABELED, lambda a: a[:-50], "10 or more episodes of 5 x 10 = 50 names.*450 names"),
        (DISTRACTORS, lambda a: a[:-1], "10 or more episodes of 1 x 100 = 100 names.*999 names"),
        (UNLABELED, lambda a: a.reshape(10, 50), r"one row of strings.*\(10, 50\); restore"),
        (UNLABELED, lambda a: np.arange(len(a)), r"one row of strings.*int64 \(500,\); restore"),
        ("test_filenames.npy", lambda a: a[:0], "test_filenames.npy, received.*; (restore|pass)"),
        ("test_filenames.npy", lambda a: np.roll(a, 1), "2 images of class .* at class 0 of epi"),
        (UNLABELED, lambda a: np.roll(a, 3), "10 images of class .* at class 0 of episode 0 in"),
        (UNLABELED, lambda a: np.roll(a, 10), "10 images of class .* received image 0 of class"),
        (DISTRACTORS, lambda a: np.roll(a, 1), "100 images of class .*; pass the way, shot"),
    ],
)
def test_lists_that_do_not_fit_are_refused(folder, name, change, message):
    alter(folder / name, change)
    with pytest.raises(InputError, match=message):
        read(folder, distractors=3)


def test_distractor_of_a_class_of_its_episode_is_refused(folder):
    files = [folder / f"unlabeled_samples_for_test/test_{j}_un_filenames.npy" for j in range(10)]
    own = np.concatenate([np.load(path)[50:60] for path in files])  # Episode 1, class 0.

    def replace_second(names):
        names[100:200] = own
        return names

    alter(folder / DISTRACTORS, replace_second)
    with pytest.raises(InputError, match=r"8 distinct classes in each.*episode 1 with 7; pass"):
        read(folder, distractors=3)


def test_fewer_queries_than_listed_are_refused(folder):
    # 16 names a class are 8 pairs, so the second class would be the first once more.
    with pytest.raises(InputError, match=r"at class 1 of episode 0 in .*train_2_un.*; pass the"):
        read(folder, "train", queries_per_class=1)


@pytest.mark.parametrize("name", ["test_filenames.npy", UNLABELED, DISTRACTORS])
def test_missing_list_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(MissingInputError, match=f"Expected a list .*{name}, found none; pass"):
        read(folder, distractors=3)


@pytest.mark.parametrize("size", [0, 40, 500])
def test_truncated_list_is_refused(folder, size):
    path = folder / UNLABELED
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=r"Expected an array in .*test_1_un.*; restore the file"):
        read(folder)


@pytest.mark.parametrize(
    "header", ["{'descr': (", "\0", "1 if", "(" * 90, "{'descr': '<U9', 'shape': 3}"]
)
def test_damaged_header_of_a_list_is_told(folder, header):
    path = folder / UNLABELED
    content = path.read_bytes()
    path.write_bytes(content[:10] + header.encode().ljust(len(header) + 9) + content[120:])
    with pytest.raises(InputError, match=r"Expected an array in .*test_1_un.*; restore the file"):
        read(folder)


def test_pickled_list_is_refused(folder):
    path = folder / "test_filenames.npy"
    np.save(path, np.load(path).astype(object), allow_pickle=True)
    with pytest.raises(InputError, match=r"Expected an array in .*; restore the file"):
        read(folder)


def test_archive_in_place_of_a_list_is_refused(folder):
    with open(folder / "test_filenames.npy", "wb") as file:
        np.savez(file, names=np.zeros(3))
    with pytest.raises(InputError, match=r"one row of strings in .*received NpzFile.*; restore"):
        read(folder)


@pytest.mark.parametrize(
    ("split", "settings", "message"),
    [
        ("test", {"count": 11}, "11 or more episodes of 5 x 2 = 10 names.*received 100 names"),
        ("test", {"unlabeled": 15}, "10, 20, ... or 100 unlabeled.*received 15; choose"),
        ("test", {"unlabeled": 110}, "10, 20, ... or 100 unlabeled.*received 110; choose"),
        ("test", {"distractors": 8}, "at most 7 distractor classes.*received 8; lower"),
        ("val", {"distractors": 1}, "at most 0 distractor classes.*'val', received 1; lower"),
        ("val", {"unlabeled": 3}, "Expected a list .*val_3_un_filenames.npy, found none; pass"),
    ],
)
def test_settings_that_the_lists_cannot_meet_are_refused(folder, split, settings, message):
    with pytest.raises(InputError, match=message):
        read(folder, split, **settings)


def test_images_of_another_split_are_refused(folder):
    with pytest.raises(InputError, match="images of split 'val', received 'test'; scan the val"):
        list_reader.read_tf1_lists(folder, list_config("val"), tree_catalogue("test"))


def test_class_too_large_to_number_is_refused(folder):
    catalogue = tree_catalogue("test")
    entry = dataclasses.replace(catalogue.classes[0], labeled=("x.jpg",) * 65536)
    catalogue = dataclasses.replace(catalogue, classes=(entry,))
    with pytest.raises(InputError, match=r"at most 65535 images .* received 65536; remove"):
        list_reader.read_tf1_lists(folder, list_config("test"), catalogue)
