"""Which command opens an episode list, and with which flags."""

import pathlib
import shlex

from lst_tf2.config import ListConfig
from lst_tf2.tf1.list_files import NUM_TESTED_DISTRACTORS, TRAIN_QUERIES

# What training and test ask for where a flag is not given.
NUM_EPISODES = {"train": 80000, "val": 600, "test": 600}
UNLABELED_PER_CLASS = {"train": 10, "val": 10, "test": 100}


def opening_command(config: ListConfig) -> str:
    """Returns the command that opens the list of `config`, or "" if none does."""
    if not _is_opened(config):
        return ""
    name = "test" if config.split == "test" else "train"
    return " ".join([f"lst {name}", *map(shlex.quote, opening_flags(config))])


def opening_text(config: ListConfig) -> str:
    """Returns a phrase that says what opens the list of `config`."""
    if command := opening_command(config):
        return f"opened by {command}"
    if config.split == "val" and config.num_episodes < NUM_EPISODES["val"]:
        return f"opened by no command: training validates on {NUM_EPISODES['val']} episodes or more"
    return "opened by no command: counts of queries and distractors differ"


def opening_flags(config: ListConfig) -> list[str]:
    """Returns the flags of `lst train` or `lst test` that are not at their defaults."""
    episode, split, count = config.episode, config.split, config.num_episodes
    unlabeled = episode.unlabeled_per_class
    is_standard = split != "train" and episode.queries_per_class != episode.shot
    rows = [
        ("way_num", episode.way, 5),
        ("shot_num", episode.shot, 1),
        ("seed", config.seed, 0),
        ("protocol", "standard" if is_standard else "paper", "paper"),
        ("nb_ul_samples", unlabeled, UNLABELED_PER_CLASS[split]),
        (f"{split}_episode_num", count, NUM_EPISODES[split]),
    ]
    rows.append(("unlabeled_balance", episode.unlabeled_balance, "equal"))
    return data_flags(config) + _changed(rows) + _distractor_flags(config)


def data_flags(config: ListConfig) -> list[str]:
    """Returns the flags of any command that tell where the data set lies."""
    folder = pathlib.Path(config.data_folder)
    path = ("data_path", str(folder.parent.parent), ".")
    return _changed([("dataset", folder.name, "miniImagenet"), path])


def _changed(rows: list[tuple]) -> list[str]:
    """Returns a flag for each name, value and default of `rows` where the latter differ."""
    return [f"--{name}={value}" for name, value, default in rows if value != default]


def _distractor_flags(config: ListConfig) -> list[str]:
    count = config.episode.num_distractor_classes
    if config.split == "train":
        return _changed([("train_num_dis", count, 0)])
    number = [] if count == NUM_TESTED_DISTRACTORS else [f"--num_dis={count}"]
    return ["--use_distractors", *number] if count else []


def _is_opened(config: ListConfig) -> bool:
    """Tells whether any flags make `lst train` or `lst test` ask for the list."""
    episode, split = config.episode, config.split
    if split == "val" and episode.num_distractor_classes:
        return False
    # Validation takes a few episodes at a time out of a list that is never shorter.
    if split == "val" and config.num_episodes < NUM_EPISODES["val"]:
        return False
    queries = {TRAIN_QUERIES} if split == "train" else {TRAIN_QUERIES, episode.shot}
    return episode.queries_per_class in queries
