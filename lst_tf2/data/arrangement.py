"""The order in which the images of an episode are fed.

Order matters for unlabeled images alone: it decides which share a window of recurrent
self-training, and with it the statistics that normalize them.
"""

import functools
import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lst_tf2.data.lists import EpisodeLists
from lst_tf2.structures import DISTRACTOR_LABEL

# The original program seeds its shuffle with it anew for every test episode.
PAPER_SHUFFLE_SEED = 6
# Sets the stream of an arrangement apart from those that draw episodes (0, 1, 2: splits).
ARRANGEMENT_STREAM = 3


class EpisodeFiles(NamedTuple):
    """Names the images of an episode, with their labels (int32, -1 for distractors)."""

    support_paths: list[str]
    support_labels: np.ndarray
    query_paths: list[str]
    query_labels: np.ndarray
    unlabeled_paths: list[str]
    unlabeled_labels: np.ndarray
    distractor_paths: list[str]  # those fed as a batch of their own


class Unlabeled(NamedTuple):
    """Names unlabeled images in feeding order."""

    paths: list[str]
    labels: np.ndarray
    distractor_paths: list[str]


# Paths [N][U] and distractor paths [X][U] in the order drawn, and a random stream.
Arrangement = Callable[[list[list[str]], list[list[str]], np.random.Generator], Unlabeled]


@functools.cache
def python2_shuffle(count: int, seed: int) -> tuple[int, ...]:
    """Returns the order in which Python 2's seeded `random.shuffle` leaves `range(count)`.

    Python 3 draws the partners differently, so its own shuffle gives other windows.
    """
    generator, order = random.Random(seed), list(range(count))
    for i in reversed(range(1, count)):
        j = int(generator.random() * (i + 1))
        order[i], order[j] = order[j], order[i]
    return tuple(order)


def arrange_for_training(paths, distractor_paths, rng) -> Unlabeled:
    """Feeds class after class; meta-training takes all unlabeled images at once."""
    labels = np.repeat(np.arange(len(paths), dtype=np.int32), len(paths[0]))
    return Unlabeled(flatten(paths), labels, flatten(distractor_paths))


def arrange_as_paper(paths, distractor_paths, rng) -> Unlabeled:
    """Interleaves the classes and shuffles as the original: alike in every episode."""
    way, count = len(paths), len(paths[0])
    interleaved = [(paths[c][i], c) for i in range(count) for c in range(way)]
    shuffled = [interleaved[i] for i in python2_shuffle(way * count, PAPER_SHUFFLE_SEED)]
    distractors = flatten(distractor_paths)
    order = python2_shuffle(len(distractors), PAPER_SHUFFLE_SEED)
    return Unlabeled(
        paths=[path for path, _ in shuffled],
        labels=np.array([label for _, label in shuffled], np.int32),
        distractor_paths=[distractors[i] for i in order],
    )


def arrange_mixed(paths, distractor_paths, rng) -> Unlabeled:
    """Mixes the distractors into the unlabeled images: nobody knows which they are."""
    mixed = flatten(paths) + flatten(distractor_paths)
    labels = np.full(len(mixed), DISTRACTOR_LABEL, np.int32)
    count = len(paths[0])
    labels[: len(paths) * count] = np.repeat(np.arange(len(paths)), count)
    order = rng.permutation(len(mixed))
    return Unlabeled([mixed[i] for i in order], labels[order], [])


PROTOCOL_ARRANGEMENTS = {"paper": arrange_as_paper, "standard": arrange_mixed}


def flatten(paths: list[list[str]]) -> list[str]:
    """Returns the paths class after class."""
    return [path for class_paths in paths for path in class_paths]


def episode_files(lists: EpisodeLists, index: int, arrange: Arrangement) -> EpisodeFiles:
    """Returns the images of episode `index` in feeding order.

    Raises:
        InputError: If the lists are shorter than that.
    """
    lists.check_index(index)
    episode, seed = lists.config.episode, lists.config.seed
    labeled, shot = lists.labeled_paths(index), episode.shot
    labels = np.arange(episode.way, dtype=np.int32)
    rng = np.random.default_rng([seed, ARRANGEMENT_STREAM, index])
    unlabeled = arrange(lists.unlabeled_paths(index), lists.distractor_paths(index), rng)
    return EpisodeFiles(
        support_paths=flatten([paths[:shot] for paths in labeled]),
        support_labels=np.repeat(labels, shot),
        query_paths=flatten([paths[shot:] for paths in labeled]),
        query_labels=np.repeat(labels, episode.queries_per_class),
        unlabeled_paths=unlabeled.paths,
        unlabeled_labels=unlabeled.labels,
        distractor_paths=unlabeled.distractor_paths,
    )
