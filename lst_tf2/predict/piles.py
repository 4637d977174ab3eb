"""Which images are labeled, which are self-trained on, and which merely get a label."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from lst_tf2.errors import check
from lst_tf2.predict.fitted import FittedHead
from lst_tf2.predict.labels import UNLABELED
from lst_tf2.predict.training import StageRecord
from lst_tf2.structures import Features

# Unlabeled images for each class, those of no class among them, that are all self-trained on, and
# how many of more. In a large pile what is labeled is too far from most: `graph_lst` rejects more
# than it should.
WHOLE_PILE, PART_OF_PILE = 100, 60


@dataclasses.dataclass(frozen=True)
class Pile:
    """Holds rows of the images that a fit gets, each ascending.

    Attributes:
        support: `[S]`, the labeled ones.
        labels: `[S]`, their classes.
        unlabeled: `[U]`, the others.
        chosen: Of these, what is self-trained on: at most as many as asked for, and none that is
            the same image as a labeled one.
        twins: The class of the labeled image that an unlabeled one is the same as, by row.
    """

    support: np.ndarray
    labels: np.ndarray
    unlabeled: np.ndarray
    chosen: np.ndarray
    twins: dict[int, int]


def most_of(pile: int, way: int) -> int:
    """Returns how many of a pile of unlabeled images to self-train on where nobody says."""
    return pile if pile <= way * WHOLE_PILE else way * PART_OF_PILE


def sort_out(
    encoded: np.ndarray, digests: Sequence[bytes], max_pile: int, random_state: int | None
) -> Pile:
    """Returns which images are what.

    Args:
        encoded: `[n]` int, classes, -1 for unlabeled.
        digests: `[n]` of the images' contents; none where the same may come twice.
        max_pile: Most unlabeled images to self-train on.
        random_state: Seed of the choice among more.
    """
    support, unlabeled = np.flatnonzero(encoded != UNLABELED), np.flatnonzero(encoded == UNLABELED)
    known = {digests[row]: int(encoded[row]) for row in support} if digests else {}
    twins = {
        int(row): known[digests[row]] for row in unlabeled if digests and digests[row] in known
    }
    chosen = np.array([row for row in unlabeled if row not in twins], int)
    if len(chosen) > max_pile:
        rng = np.random.default_rng(random_state)
        chosen = np.sort(rng.choice(chosen, max_pile, replace=False))
    return Pile(support, encoded[support], unlabeled, chosen, twins)


def check_one_class_each(
    encoded: np.ndarray, digests: Sequence[bytes], name_of: Callable[[int], str], classes: Sequence
) -> None:
    """Raises `InputError` where the same image is labeled as two classes; names both."""
    seen: dict[bytes, int] = {}
    for row in np.flatnonzero(encoded != UNLABELED) if digests else ():
        first = seen.setdefault(digests[row], row)
        pair = [f"{name_of(r)} as {classes[encoded[r]]}" for r in (first, row)]
        check(
            encoded[first] == encoded[row],
            "an image to be labeled as one class",
            f"the same image twice: {' and '.join(pair)}",
            "take it out of one of them",
        )


def take_rows(features: Features, rows: np.ndarray) -> Features:
    """Returns the features of some rows."""
    return Features(features.maps[rows], features.embeddings[rows])


def label_pile(
    head: FittedHead, stages: Sequence[StageRecord], pile: Pile, embeddings: np.ndarray
) -> np.ndarray:
    """Returns `[U, N]`, how likely each unlabeled image is of each class.

    What was self-trained on has the probabilities of the last stage, the same image as a labeled
    one its class, and the others those of their neighbours.

    Args:
        head: The fitted one.
        stages: Of the fit; none without a pile.
        pile: Which images are what.
        embeddings: `[n, D]` of all images.
    """
    way = head.kernel.shape[1]
    probs = np.zeros((len(pile.unlabeled), way), np.float32)
    places = {row: place for place, row in enumerate(pile.unlabeled)}
    for row, label in pile.twins.items():
        probs[places[row], label] = 1
    if stages:
        probs[[places[row] for row in pile.chosen]] = stages[-1].probs
    known = {*pile.twins, *pile.chosen.tolist()}
    left = [row for row in pile.unlabeled.tolist() if row not in known]
    if left:
        found = head.probs(embeddings[left])
        found *= 1 - head.none_probs(embeddings[left])[:, np.newaxis]
        probs[[places[row] for row in left]] = found
    return probs
