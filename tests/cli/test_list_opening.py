import dataclasses
import shlex

import pytest

from lst_tf2.cli.list_opening import opening_command, opening_flags, opening_text
from lst_tf2.config import EpisodeConfig, ListConfig
from tests.cli.flag_values import script_config


def opened_lists(config):
    lists = vars(config)
    return [lists[name] for name in ("train_list", "val_list", "test_list") if name in lists]


@pytest.mark.parametrize("script", ["train.py", "test.py"])
def test_lists_that_a_script_opens_by_default_need_no_flags(script):
    for config in opened_lists(script_config(script)):
        assert opening_flags(config) == []
        assert opening_command(config) == f"python {script}"


@pytest.mark.parametrize(
    "command",
    [
        "train.py --dataset='my data' --data_path=/some/where --seed=3",
        "train.py --way_num=3 --shot_num=5 --nb_ul_samples=4 --train_episode_num=7",
        "train.py --protocol=standard --data_path=..",
        "test.py --nb_ul_samples=30 --nums_in_folders=9 --shot_num=5 --test_episode_num=601",
        "test.py --use_distractors",
        "test.py --use_distractors --num_dis=7 --protocol=standard",
        "test.py --shot_num=15 --protocol=standard",
    ],
)
def test_command_opens_the_list_it_is_made_for(command):
    for config in opened_lists(script_config(*shlex.split(command))):
        script, *given = shlex.split(opening_command(config).removeprefix("python "))
        # A window is no part of a list, but must not be larger than one.
        given += ["--nums_in_folders=9"] if script == "test.py" else []
        assert config in opened_lists(script_config(script, *given))


def test_longer_validation_list_is_opened():
    long_list = script_config("train.py", "--val_episode_num=700").val_list
    assert opening_command(long_list) == "python train.py --val_episode_num=700"


@pytest.mark.parametrize(
    ("split", "change", "count", "reason"),
    [
        ("val", {}, 10, "train.py validates on 600 episodes or more"),
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
