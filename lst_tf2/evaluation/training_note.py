"""What a test does otherwise than the training of its run."""

import pathlib

from lst_tf2.config import MetaTestConfig
from lst_tf2.errors import check
from lst_tf2.storage.files import read_json

WORDS = {"way": "way", "shot": "shot", "queries_per_class": "queries per class"}


def check_way(config: MetaTestConfig, trained_way: int, folder: pathlib.Path) -> None:
    """Raises `InputError` unless the classifier of a run has as many classes as the test."""
    way = config.test_list.episode.way
    check(
        way == trained_way,
        f"{trained_way}-way episodes, as the initial classifier in {folder} was trained for",
        f"{way}-way ones",
        "pass initial_classifier=plain, a classifier drawn at random, or that way",
        *("initial_classifier", "way"),
    )


def note_differences(config: MetaTestConfig) -> str:
    """Returns in what the episodes of a test differ from those that its run was trained on.

    Queries are compared with those of its validation, which show the protocol. "" stands for
    nothing, also where the run tells nothing, as a converted one.
    """
    path = pathlib.Path(config.run_folder) / "config.json"
    settings = read_json(path, settings=dict)["settings"] if config.test_iter != "0" else {}
    trained = _episode(settings, "train_list")
    trained["queries_per_class"] = _episode(settings, "val_list").get("queries_per_class")
    tested = vars(config.test_list.episode)
    differing = [n for n in WORDS if trained.get(n) not in (None, tested[n])]
    there = ", ".join(f"{trained[name]} {WORDS[name]}" for name in differing)
    here = ", ".join(f"{tested[name]} {WORDS[name]}" for name in differing)
    return f"note: the run was trained with {there}; this test has {here}." if differing else ""


def _episode(settings: dict, name: str) -> dict:
    lists = settings.get(name)
    episode = lists.get("episode") if isinstance(lists, dict) else None
    return dict(episode) if isinstance(episode, dict) else {}
