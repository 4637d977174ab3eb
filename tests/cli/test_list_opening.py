import dataclasses
import shlex

import pytest

from lst_tf2.cli.list_opening import opening_command, opening_flags, opening_text
from lst_tf2.config import EpisodeConfig, ListConfig
from tests.cli.flag_values import config_of


def opened_lists(config):
    lists = vars(config)
    return [lists[name] for name in ("train_list", "val_list", "test_list") if name in lists]


@pytest.mark.parametrize("name", ["train", "test"])
def test_lists_that_are_opened_by_default_need_no_flags(name):
    for config in opened_lists(config_of(name)):
        assert opening_flags(config) == []
        assert opening_command(config) == f"lst {name}"


@pytest.mark.parametrize(
    "command",
    [
        "train --dataset='my data' --data_path=/some/where --seed=3",
        "train --way_num=3 --shot_num=5 --nb_ul_samples=4 --train_episode_num=7",
        "train --protocol=standard --data_path=..",
        "train --train_num_dis=2",
        "test --nb_ul_samples=30 --nums_in_folders=9 --shot_num=5 --test_episode_num=601",
        "test --use_distractors",
        "test --use_distractors --num_dis=7 --protocol=standard",
        "test --shot_num=15 --protocol=standard",
    ],
)
def test_command_opens_the_list_it_is_made_for(command):
    for config in opened_lists(config_of(*shlex.split(command))):
        name, *given = shlex.split(opening_command(config).removeprefix("lst "))
        # A window is no part of a list, but must not be larger than one.
        given += ["--nums_in_folders=9"] if name == "test" else []
        assert config in opened_lists(config_of(name, *given))


def test_longer_validation_list_is_opened():
    long_list = config_of("train", "--val_episode_num=700").val_list
    assert opening_command(long_list) == "lst train --val_episode_num=700"


@pytest.mark.parametrize(
    ("split", "change", "count", "reason"),
    [
        ("val", {}, 10, "training validates on 600 episodes or more"),
        ("val", {"num_distractor_classes": 2}, 600, "counts of queries and distractors differ"),
        ("train", {}, 80000, "counts of queries and distractors differ"),
        ("test", {"queries_per_class": 4}, 600, "counts of queries and distractors differ"),
    ],
)
def test_list_that_no_command_opens_says_why(split, change, count, reason):
    episode = dataclasses.replace(EpisodeConfig(queries_per_class=1), **change)
    config = ListConfig("data/letters", split, episode, count)
    assert opening_command(config) == ""
    assert opening_text(config) == f"opened by no command: {reason}"
