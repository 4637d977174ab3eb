"""How well a method tells images that are of none of the classes, and how sure it may be."""

import numpy as np

from lst_tf2.evaluation.episode import DISTRACTOR, RIGHT

# Shares of the right images that are kept, along the curve.
KEPT_SHARES = tuple(np.round(np.arange(0.5, 1.0001, 0.05), 2).tolist())
# Where one number stands for the curve.
KEPT_SHARE = 0.95
BINS = 10


def rejected_distractors(
    confidence: np.ndarray, outcomes: np.ndarray, kept_share: float
) -> np.ndarray:
    """Returns the share of distractors below what leaves `kept_share` of the right images.

    Args:
        confidence: `[E, U]` in 0..1, of the most probable class of each unlabeled image.
        outcomes: `[E, U]`, `RIGHT`, `WRONG` or `DISTRACTOR`, by that class.
        kept_share: In 0..1.

    Returns:
        `[E]` in 0..1; NaN for an episode without distractors or without a right image.
    """
    shares = np.full(len(confidence), np.nan)
    for index, (values, outcome) in enumerate(zip(confidence, outcomes, strict=True)):
        right, distractors = values[outcome == RIGHT], values[outcome == DISTRACTOR]
        if right.size and distractors.size:
            # The last of those that are kept, so that at least so many are.
            bound = np.sort(right)[int((1 - kept_share) * right.size + 1e-9)]
            shares[index] = np.mean(distractors < bound)
    return shares


def reliability(confidence: np.ndarray, outcomes: np.ndarray) -> list[dict[str, float]]:
    """Returns what of the images of like confidence is right, from the least to the most sure.

    Args:
        confidence: Any shape, in 0..1.
        outcomes: The same shape.

    Returns:
        For each of `BINS` ranges of confidence with images in it: mean `confidence`, share `right`
        and `share` of all images.
    """
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for place in np.unique(places):
        chosen = places == place
        bins.append(
            {
                "confidence": float(confidence[chosen].mean()),
                "right": float((outcomes[chosen] == RIGHT).mean()),
                "share": float(chosen.mean()),
            }
        )
    return bins


def calibration_error(bins: list[dict[str, float]]) -> float:
    """Returns the expected calibration error in 0..1 of what `reliability` returns.

    That is the mean distance of confidence from the share that is right (arXiv:1706.04599).
    """
    return sum(b["share"] * abs(b["confidence"] - b["right"]) for b in bins)
