"""Figures and tables about a prediction."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lst_tf2.evaluation.episode import DISTRACTOR, RIGHT, WRONG
from lst_tf2.evaluation.rejection import calibration_error, reliability
from lst_tf2.predict.charts import Chart, Line, draw_calibration, draw_histogram, draw_lines
from lst_tf2.predict.estimator import LSTClassifier
from lst_tf2.predict.rows import REJECTED, UNREADABLE, Row


class Confusion(NamedTuple):
    """Holds how many images of each class got which label."""

    labels: list[str]  # Of the columns.
    rows: list[tuple[str, list[int]]]
    right: int
    total: int


def stage_figures(classifier: LSTClassifier) -> list[Chart]:
    """Returns how labels settle over the stages, how sure they are, and the soft weights."""
    stages = getattr(classifier, "stages_", [])
    if not stages:
        return []
    charts = []
    if len(stages) > 1:
        labels = [stage.probs.argmax(axis=1) for stage in stages]
        shares = [float(np.mean(label == labels[-1])) for label in labels]
        text = (
            f"After stage 1, {100 * shares[0]:.0f} % of the unlabeled images have the label that "
            f"they have after stage {len(stages)}."
        )
        line = Line("agreement", shares, [None] * len(shares))
        svg = draw_lines(range(1, len(stages) + 1), [line], "stage", "same label, percent", text)
        charts.append(Chart("Agreement with the last stage", svg, text))
    confidence = stages[-1].probs.max(axis=1)
    half, count = np.median(confidence), len(confidence)
    text = f"Half of the {count} unlabeled images are surer than {half:.2f}."
    svg = draw_histogram(confidence, "probability of the best class", "images", text)
    charts.append(Chart("How sure the labels are", svg, text))
    weights = stages[-1].soft_weights.max(axis=1, initial=0)
    if len(weights) and (stages[-1].soft_weights != 1).any():
        text = f"Half of the {len(weights)} pseudo-labels weigh more than {np.median(weights):.2f}."
        svg = draw_histogram(weights, "largest soft weight", "pseudo-labels", text)
        charts.append(Chart("Soft weights of the last stage", svg, text))
    return charts


def truth_figures(rows: Sequence[Row], truth: Sequence[str] | None) -> list[Chart]:
    """Returns the reliability curve, where it is known what the images are of."""
    if truth is None:
        return []
    pairs = [(r, t) for r, t in zip(rows, truth, strict=True) if r.status != UNREADABLE]
    if not pairs:
        return []
    best = [
        (r.second_label, r.second_confidence) if r.status == REJECTED else r[1:3] for r, _ in pairs
    ]
    outcomes = [
        DISTRACTOR if not known else RIGHT if label == known else WRONG
        for (label, _), (_, known) in zip(best, pairs, strict=True)
    ]
    bins = reliability(np.array([confidence for _, confidence in best]), np.array(outcomes))
    text = (
        "Images by the confidence in their best class, beside the share of them that is of it; the "
        f"expected calibration error is {100 * calibration_error(bins):.1f} %."
    )
    return [Chart("Reliability", draw_calibration(bins, text), text)]


def confusion(
    rows: Sequence[Row], truth: Sequence[str] | None, classes: Sequence[str], none: str
) -> Confusion | None:
    """Returns what images are of beside their labels, where that is known."""
    if truth is None:
        return None
    names = [*classes, ""]
    counts = np.zeros((len(names), len(names)), int)
    for row, known in zip(rows, truth, strict=True):
        if row.status != UNREADABLE:
            counts[names.index(known), names.index(row.label)] += 1
    shown = [*classes, none]
    table = [(name, line.tolist()) for name, line in zip(shown, counts, strict=True) if line.any()]
    return Confusion(shown, table, int(np.trace(counts)), int(counts.sum()))
