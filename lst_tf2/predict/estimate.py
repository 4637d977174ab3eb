"""How right a fitted classifier will be on images of its classes, told without any truth."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from lst_tf2.evaluation.statistics import Z95
from lst_tf2.predict.fitted import FitData, fit_head
from lst_tf2.predict.training import HeadTrainer
from lst_tf2.structures import Features

# Share of queries that are surer than this is the share that is right, on validation classes of
# `glyphs` (arXiv:2201.04234); about what such an estimate is off by, a standard deviation.
ATC_THRESHOLD, ATC_ERROR = 0.685, 0.03
PERCENT = 100
# Of many labeled images some are left out, and each fit looks at a part of a large pile.
MOST_LEFT_OUT, MOST_PILE = 50, 1000


class Estimate(NamedTuple):
    """Holds an accuracy in 0..1 with its 95 % interval, and how it was found."""

    accuracy: float
    low: float
    high: float
    how: str

    def describe(self) -> str:
        """Returns it in percent, with its interval and how it was found."""
        if math.isnan(self.accuracy):
            return f"not known; {self.how}"
        accuracy, low, high = (f"{PERCENT * share:.0f}" for share in self[:3])
        return f"{accuracy} % ({low} to {high} %; by {self.how})"


UNKNOWN = Estimate(
    math.nan, 0.0, 1.0, "label two images of a class, or add unlabeled ones, to have it estimated"
)


def leave_one_out(data: FitData) -> Estimate | None:
    """Returns the accuracy on labeled images, each fitted without it.

    Those that are alone in their class cannot be left out; None where there are no others.
    """
    shots = np.bincount(data.labels)
    rows = np.flatnonzero(shots[data.labels] > 1)
    if not len(rows):
        return None
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(rows)[:MOST_LEFT_OUT])
    part = np.sort(rng.permutation(len(data.pile.embeddings))[:MOST_PILE])
    pile = Features(*(values[part] for values in data.pile))
    data = dataclasses.replace(data, pile=pile)
    trainer, hits = HeadTrainer(data.stages, data.backbone), 0
    for row in rows:
        head, _ = fit_head(data.without(row), trainer)
        probs = head.probs(data.support.embeddings[row : row + 1])
        hits += int(probs.argmax() == data.labels[row])
    how = f"each of {len(rows)} labeled images, fitted without it"
    return Estimate(hits / len(rows), *wilson_interval(hits, len(rows)), how)


def thresholded_confidence(confidence: np.ndarray) -> Estimate:
    """Returns the share of images that the head is sure of (arXiv:2201.04234).

    Args:
        confidence: `[n]` in 0..1, of the most probable class; one or more.
    """
    hits, count = int(np.sum(confidence >= ATC_THRESHOLD)), len(confidence)
    share, (low, high) = hits / count, wilson_interval(hits, count)
    below, above = (np.hypot(bound - share, Z95 * ATC_ERROR) for bound in (low, high))
    how = f"confidence on {count} image{'s' if count > 1 else ''}"
    return Estimate(share, max(0.0, share - below), min(1.0, share + above), how)


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Returns the bounds of the 95 % interval of a share (Wilson, 1927)."""
    share, square = hits / count, Z95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    spread = np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    half = Z95 * spread / (1 + square / count)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
