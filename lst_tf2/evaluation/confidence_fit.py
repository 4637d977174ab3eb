"""Confidence that tells how likely the most probable class is the right one.

A method whose settings have `slope` and `offset` is sure of a class by
`sigmoid(offset + slope * score)`, so that these two follow from a logistic regression.
"""

from typing import Any

import numpy as np

from lst_tf2.evaluation.episode import RIGHT

NAMES = ("slope", "offset")
# How near to 0 and 1 a confidence still tells a score.
EDGE = 1e-6
NEWTON_STEPS = 25
# Keeps the fit finite where a score divides right from wrong.
RIDGE = 1e-6
DIGITS = 4


def fit_logistic_line(scores: np.ndarray, is_right: np.ndarray) -> tuple[float, float]:
    """Returns the slope and offset of the most likely `sigmoid(offset + slope * score)`.

    Args:
        scores: `[n]`, finite.
        is_right: `[n]`, what the sigmoid is the probability of.
    """
    inputs = np.stack([scores, np.ones_like(scores)], axis=1).astype(np.float64)
    line = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        probs = sigmoid(inputs @ line)
        gradient = inputs.T @ (probs - is_right) + RIDGE * line
        curvature = (inputs.T * (probs * (1 - probs))) @ inputs + RIDGE * np.eye(2)
        line = line - np.linalg.solve(curvature, gradient)
    return float(line[0]), float(line[1])


def calibrate_line(
    values: dict[str, Any], confidence: np.ndarray, outcomes: np.ndarray
) -> dict[str, Any]:
    """Returns the settings with the slope and offset that make confidence a probability.

    Those that there are stay where others are not more likely.

    Args:
        values: Settings of a method, `slope` and `offset` among them.
        confidence: `[n]` in 0..1, found with these.
        outcomes: `[n]`, `RIGHT` or another, by the most probable class.
    """
    slope, offset = (values[name] for name in NAMES)
    clipped = np.clip(confidence.astype(np.float64), EDGE, 1 - EDGE)
    is_right = outcomes == RIGHT
    scores = (np.log(clipped / (1 - clipped)) - offset) / slope
    line = [round(one, DIGITS) for one in fit_logistic_line(scores, is_right)]
    before, after = (
        log_loss(sigmoid(o + s * scores), is_right) for s, o in ((slope, offset), line)
    )
    if not (after < before and line[0] > 0):
        return values
    return values | dict(zip(NAMES, line, strict=True))


def log_loss(probs: np.ndarray, is_right: np.ndarray) -> float:
    """Returns the mean negative logarithm of the probability of what is the case."""
    likely = np.where(is_right, probs, 1 - probs)
    return float(-np.log(np.clip(likely, EDGE, 1)).mean())


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Returns what is in 0..1, without overflow."""
    return 0.5 * (1 + np.tanh(values / 2))
