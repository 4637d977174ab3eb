"""The order in which the images of an episode are fed.

Order matters for unlabeled images alone: it decides which share a window of recurrent
self-training, and with it the statistics that normalize them.
"""

import functools
import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lst_tf2.config import EpisodeConfig
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.structures import DISTRACTOR_LABEL, Episode, Examples, map_inputs

# The original program seeds its shuffle with it again for every test episode.
PAPER_SHUFFLE_SEED = 6
# Sets the stream of an arrangement apart from those that draw episodes (0, 1, 2: splits).
ARRANGEMENT_STREAM = 3


class Unlabeled(NamedTuple):
    """Holds unlabeled images, paths or rows, in feeding order."""

    images: list
    labels: np.ndarray
    distractors: list


# Images and distractors of each class in the order drawn, and a random stream.
Arrangement = Callable[[list[list], list[list], np.random.Generator], Unlabeled]


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


def arrange_for_training(images, distractors, rng) -> Unlabeled:
    """Feeds class after class; meta-training takes all unlabeled images at once."""
    return Unlabeled(flatten(images), labels_of(images), flatten(distractors))


def arrange_as_paper(images, distractors, rng) -> Unlabeled:
    """Interleaves the classes, as many of each, and shuffles as the original: always alike."""
    way, count = len(images), len(images[0])
    interleaved = [(images[c][i], c) for i in range(count) for c in range(way)]
    shuffled = [interleaved[i] for i in python2_shuffle(way * count, PAPER_SHUFFLE_SEED)]
    others = flatten(distractors)
    order = python2_shuffle(len(others), PAPER_SHUFFLE_SEED)
    return Unlabeled(
        images=[image for image, _ in shuffled],
        labels=np.array([label for _, label in shuffled], np.int32),
        distractors=[others[i] for i in order],
    )


def arrange_mixed(images, distractors, rng) -> Unlabeled:
    """Mixes the distractors into the unlabeled images: nobody knows which they are."""
    mixed = flatten(images) + flatten(distractors)
    labels = np.full(len(mixed), DISTRACTOR_LABEL, np.int32)
    own = labels_of(images)
    labels[: len(own)] = own
    order = rng.permutation(len(mixed))
    return Unlabeled([mixed[i] for i in order], labels[order], [])


PROTOCOL_ARRANGEMENTS = {"paper": arrange_as_paper, "standard": arrange_mixed}


def training_arrangement(episode: EpisodeConfig) -> Arrangement:
    """Returns how meta-training feeds such episodes, in either protocol."""
    return arrange_mixed if episode.num_distractor_classes else arrange_for_training


def labels_of(images: list[list]) -> np.ndarray:
    """Returns the class 0..N-1 of each of the images class after class."""
    counts = [len(class_images) for class_images in images]
    return np.repeat(np.arange(len(images), dtype=np.int32), counts)


def flatten(images: list[list]) -> list:
    """Returns the images class after class."""
    return [image for class_images in images for image in class_images]


def episode_rows(lists: EpisodeLists, index: int, arrange: Arrangement) -> Episode:
    """Returns episode `index`: its images as rows of the catalogue, in feeding order.

    Raises:
        InputError: If the lists are shorter than that.
    """
    lists.check_index(index)
    episode, seed = lists.config.episode, lists.config.seed
    labeled, shot = lists.labeled_rows(index), episode.shot
    labels = np.arange(episode.way, dtype=np.int32)
    rng = np.random.default_rng([seed, ARRANGEMENT_STREAM, index])
    drawn = lists.unlabeled_rows(index), lists.distractor_rows(index)
    unlabeled = arrange(*([rows.tolist() for rows in classes] for classes in drawn), rng)
    distractors = np.array(unlabeled.distractors, np.int32)
    return Episode(
        support=Examples(labeled[:, :shot].ravel().astype(np.int32), np.repeat(labels, shot)),
        query=Examples(
            labeled[:, shot:].ravel().astype(np.int32),
            np.repeat(labels, episode.queries_per_class),
        ),
        unlabeled=Examples(np.array(unlabeled.images, np.int32), unlabeled.labels),
        distractors=Examples(distractors, np.full_like(distractors, DISTRACTOR_LABEL)),
    )


def episode_files(lists: EpisodeLists, index: int, arrange: Arrangement) -> Episode:
    """Returns the same as `episode_rows` with the paths of the images.

    Raises:
        InputError: If the lists are shorter than that.
    """
    path = lists.catalogue.path
    return map_inputs(lambda rows: [path(row) for row in rows], episode_rows(lists, index, arrange))
