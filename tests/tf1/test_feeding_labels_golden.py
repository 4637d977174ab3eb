"""The labels that episodes are fed with, against `tests/golden/episodes_a`."""

import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data import feeding_order
from lst_tf2.tf1.list_reader import read_tf1_lists
from tests.tf1.recorded_lists import (
    QUERIES,
    file_ends,
    recorded_orders,
    tree_catalogue,
    write_recorded_lists,
)

KEYS = ("inputa", "labela", "inputb", "labelb", "inputc", "labelc")


def labels_by_file(examples):
    return dict(zip(file_ends(examples.inputs), examples.labels, strict=True))


def fed_episodes(prefix):
    """What the original fed as one episode after the other, each array without its first axis."""
    fed = [value for key, value in recorded_orders().items() if key.startswith(prefix)]
    return [
        {key: step[key][b] for key in step if key in KEYS}
        for step in fed
        for b in range(len(step["inputa"]))
    ]


@pytest.mark.parametrize(
    ("split", "prefix", "distractors"),
    [
        ("train", "train_iter", 0),
        ("val", "val_task", 0),
        ("test", "test_task", 0),
        ("test", "test_with_distractors_task", 3),
    ],
)
def test_every_label_is_the_recorded_one(tmp_path, split, prefix, distractors):
    is_test = split == "test"
    episode = EpisodeConfig(5, 1, QUERIES[split], 100 if is_test else 2, distractors)
    config = ListConfig("letters", split, episode, 10)
    lists = read_tf1_lists(write_recorded_lists(tmp_path), config, tree_catalogue(split))
    arrange = feeding_order.arrange_as_paper if is_test else feeding_order.arrange_for_training
    episodes = fed_episodes(prefix)
    assert len(episodes) >= 2
    for index, fed in enumerate(episodes):
        files = feeding_order.episode_files(lists, index, arrange)
        for examples, letter in ((files.support, "a"), (files.query, "b")):
            names = file_ends(fed[f"input{letter}"])
            recorded = dict(zip(names, fed[f"label{letter}"], strict=True))
            assert labels_by_file(examples) == recorded
        assert_unlabeled_match(files, fed, is_test=is_test)
        assert (files.distractors.labels == -1).all()


def assert_unlabeled_match(files, fed, *, is_test):
    if not is_test:
        np.testing.assert_array_equal(files.unlabeled.labels, fed["labelc"])
        return
    # The original shuffles the images of a test without their labels: only counts agree.
    np.testing.assert_array_equal(np.sort(files.unlabeled.labels), np.sort(fed["labelc"]))
    classes = {name.split("/")[1]: label for name, label in labels_by_file(files.support).items()}
    right = [classes[name.split("/")[1]] for name in file_ends(fed["inputc"])]
    np.testing.assert_array_equal(files.unlabeled.labels, right)
