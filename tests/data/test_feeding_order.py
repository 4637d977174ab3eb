"""Feeding orders, against `tests/golden/episodes_a`, recorded from the original."""

import json
import pathlib

import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data import feeding_order
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import sample_lists
from tests.builders import write_data_set

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "episodes_a"
FOLDER = "mini_1shot_5way/unlabeled_samples_for_test"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", name="recorded")
def fixture_recorded():
    orders = json.loads((GOLDEN / "orders.json").read_text())["python2_random"]
    with np.load(GOLDEN / "lists.npz") as lists:
        return orders, {key.removesuffix(".npy"): lists[key] for key in lists.files}


def unlabeled_of_task(lists, task):
    """File j of the original holds images 10 j to 10 j + 9 of each of 5 classes."""
    names = [lists[f"{FOLDER}/test_{j}_un_filenames"] for j in range(10)]
    by_file = np.array([n[task * 50 : (task + 1) * 50].reshape(5, 10) for n in names])
    return by_file.transpose(1, 0, 2).reshape(5, 100).tolist()


def distractors_of_task(lists, task):
    names = [lists[f"{FOLDER}/distracting_file/test_{j}_dis_filenames"] for j in (1, 2, 3)]
    return [n[task * 100 : (task + 1) * 100].tolist() for n in names]


def file_names(paths):
    return [path.rsplit("/", 1)[1] for path in paths]


def test_paper_order_is_the_recorded_one(recorded):
    orders, lists = recorded
    compared = 0
    for key, fed in orders.items():
        if "test" not in key:
            continue
        task = int("".join(c for c in key.rsplit("task", 1)[-1] if c.isdigit()))
        distractors = distractors_of_task(lists, task) if fed.get("inputd") else []
        arranged = feeding_order.arrange_as_paper(unlabeled_of_task(lists, task), distractors, RNG)
        assert file_names(arranged.images) == file_names(np.ravel(fed["inputc"]))
        if distractors:
            assert file_names(arranged.distractors) == file_names(np.ravel(fed["inputd"]))
        compared += 1
    assert compared >= 2


def test_paper_labels_follow_their_images():
    paths = [[f"{c}-{i}" for i in range(4)] for c in range(3)]
    arranged = feeding_order.arrange_as_paper(paths, [], RNG)
    assert [int(path[0]) for path in arranged.images] == arranged.labels.tolist()
    assert sorted(arranged.images) == sorted(feeding_order.flatten(paths))


def test_mixed_order_marks_distractors():
    paths = [[f"{c}-{i}" for i in range(4)] for c in range(3)]
    others = [[f"x-{c}{i}" for i in range(4)] for c in range(2)]
    arranged = feeding_order.arrange_mixed(paths, others, np.random.default_rng(1))
    assert sorted(arranged.images) == sorted(feeding_order.flatten(paths + others))
    for path, label in zip(arranged.images, arranged.labels, strict=True):
        assert label == (-1 if path[0] == "x" else int(path[0]))
    assert arranged.distractors == []
    assert arranged.images != feeding_order.flatten(paths + others)


def test_training_mixes_distractors_where_there_are_some(tmp_path):
    folder = write_data_set(tmp_path / "letters")
    catalogue = scan_split(folder, "train")

    def files(others):
        episode = EpisodeConfig(2, 1, 2, 3, num_distractor_classes=others)
        lists = sample_lists(catalogue, ListConfig(str(folder), "train", episode, 2))
        arrange = feeding_order.training_arrangement(episode)
        return lists, feeding_order.episode_files(lists, 1, arrange)

    _, without = files(0)
    lists, mixed = files(2)
    assert without.unlabeled.labels.tolist() == [0] * 3 + [1] * 3
    (support, _), (other_support, _) = without.support, mixed.support
    assert support == other_support
    known = dict(zip(without.unlabeled.inputs, without.unlabeled.labels.tolist(), strict=True))
    labels = mixed.unlabeled.labels.tolist()
    assert labels == [known.get(path, -1) for path in mixed.unlabeled.inputs]
    assert labels.count(-1) == 2 * 3
    assert labels != sorted(labels)
    assert labels != sorted(labels, key=lambda label: label % 3)  # Nor with distractors last.
    assert mixed.distractors.inputs == []
    others = {catalogue.classes[entry].name for entry in lists.distractor_classes[1]}
    found = zip(mixed.unlabeled.inputs, labels, strict=True)
    assert {path.split("/")[-2] for path, label in found if label < 0} == others


def test_episode_files_name_support_before_queries(tmp_path):
    folder = write_data_set(tmp_path / "letters")
    episode = EpisodeConfig(way=3, shot=2, queries_per_class=2, unlabeled_per_class=3)
    lists = sample_lists(scan_split(folder, "train"), ListConfig(str(folder), "train", episode, 4))
    files = feeding_order.episode_files(lists, 2, feeding_order.arrange_for_training)
    labeled = lists.labeled_paths(2)
    assert files.support.inputs == [path for paths in labeled for path in paths[:2]]
    assert files.query.inputs == [path for paths in labeled for path in paths[2:]]
    assert files.support.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert files.unlabeled.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    with pytest.raises(ValueError, match="an episode index below 4"):
        feeding_order.episode_files(lists, 4, feeding_order.arrange_for_training)
