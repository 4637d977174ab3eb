"""An episode of a list as text to read."""

import pathlib
from collections.abc import Sequence

from lst_tf2.data.feeding_order import (
    PROTOCOL_ARRANGEMENTS,
    episode_files,
    training_arrangement,
)
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.structures import DISTRACTOR_LABEL, Episode


def episode_lines(lists: EpisodeLists, index: int, protocol: str) -> list[str]:
    """Returns the classes and images of episode `index`.

    Args:
        lists: Those of any split.
        index: 0 or more.
        protocol: Which of `PROTOCOL_ARRANGEMENTS` orders the unlabeled images of a test.

    Raises:
        InputError: If the lists are shorter than that.
    """
    config = lists.config
    is_test = config.split == "test"
    arrange = PROTOCOL_ARRANGEMENTS[protocol] if is_test else training_arrangement(config.episode)
    files = episode_files(lists, index, arrange)
    lines = [f"Episode {index} of {len(lists)}"]
    for label in range(config.episode.way):
        lines += _class_lines(lists, index, label)
    counts = lists.counts_of(index)
    others = zip(lists.distractor_classes[index], counts[len(lists.classes[index]) :], strict=True)
    for entry, count in others:
        lines.append(f"distractor class {lists.catalogue.classes[entry].name}: {count} images")
    return lines + _order_lines(files)


def _class_lines(lists: EpisodeLists, index: int, label: int) -> list[str]:
    shot, entry = lists.config.episode.shot, lists.classes[index, label]
    names = [pathlib.PurePath(path).name for path in lists.labeled_paths(index)[label]]
    return [
        f"class {label} {lists.catalogue.classes[entry].name}",
        *_named("support", names[:shot]),
        *_named("query", names[shot:]),
        f"  unlabeled: {lists.counts_of(index)[label]} images, see below",
    ]


def _named(title: str, names: Sequence[str]) -> list[str]:
    return [f"  {title}: {name}" for name in names]


def _order_lines(files: Episode) -> list[str]:
    """Returns the unlabeled images one to a line, in the order in which they are fed."""
    lines = ["unlabeled images in feeding order (position, class, image); in a test a window of"]
    lines.append("recurrent self-training takes way_num x nums_in_folders positions in a row")
    labels = files.unlabeled.labels.tolist()
    for position, (label, path) in enumerate(zip(labels, files.unlabeled.inputs, strict=True)):
        shown = "distractor" if label == DISTRACTOR_LABEL else f"class {label}"
        lines.append(f"{position:6d}  {shown:10}  {_class_and_file(path)}")
    if files.distractors.inputs:
        lines.append("distractors in feeding order, a batch of their own beside each window")
    for position, path in enumerate(files.distractors.inputs):
        lines.append(f"{position:6d}  distractor  {_class_and_file(path)}")
    return lines


def _class_and_file(path: str) -> str:
    return "/".join(pathlib.PurePath(path).parts[-2:])
