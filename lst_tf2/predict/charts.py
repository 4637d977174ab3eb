"""Figures of the pages, as SVG."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.predict.page import COLOURS, INK, inline_svg

PERCENT = 100
STYLES = ("-", "--", ":", "-.")
BINS = 20


class Chart(NamedTuple):
    """Holds a figure with its heading and what it says in words."""

    title: str
    svg: str
    text: str


class Line(NamedTuple):
    """Holds a line with intervals: means and half widths in 0..1, None where there is nothing."""

    label: str
    means: Sequence[float | None]
    halves: Sequence[float | None]


def draw_lines(
    places: Sequence[float], lines: Sequence[Line], x_label: str, y_label: str, description: str
) -> str:
    """Returns lines with intervals over `places`; y is shown in percent."""

    def draw():
        figure, panel = _panel(x_label, y_label)
        for number, line in enumerate(lines):
            kept = [i for i, mean in enumerate(line.means) if mean is not None]
            x = [places[i] for i in kept]
            means = PERCENT * np.array([line.means[i] for i in kept])
            halves = PERCENT * np.array([line.halves[i] or 0 for i in kept])
            colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
            panel.plot(x, means, style, color=colour, label=line.label)
            panel.fill_between(x, means - halves, means + halves, color=colour, alpha=0.2)
        if len(lines) > 1:
            panel.legend(fontsize="small")
        return figure

    return inline_svg(draw, description)


def draw_histogram(values: np.ndarray, x_label: str, y_label: str, description: str) -> str:
    """Returns how often values in 0..1 occur."""

    def draw():
        figure, panel = _panel(x_label, y_label)
        panel.hist(values, bins=BINS, range=(0, 1), color=COLOURS[0])
        return figure

    return inline_svg(draw, description)


def draw_calibration(bins: Sequence[dict[str, float]], description: str) -> str:
    """Returns the share that is right over confidence; best is the diagonal.

    Args:
        bins: As `lst_tf2.evaluation.rejection.reliability` returns them.
        description: What can be seen.
    """

    def draw():
        figure, panel = _panel("confidence, percent", "right labels, percent")
        panel.plot([0, PERCENT], [0, PERCENT], color=INK, linewidth=0.8, linestyle=":")
        confidence = [PERCENT * one["confidence"] for one in bins]
        right = [PERCENT * one["right"] for one in bins]
        panel.plot(confidence, right, color=COLOURS[0])
        sizes = [20 + 200 * one["share"] for one in bins]
        panel.scatter(confidence, right, s=sizes, color=COLOURS[0])
        return figure

    return inline_svg(draw, description)


def _panel(x_label: str, y_label: str) -> tuple[Any, Any]:
    """Returns a figure and the one panel in it."""
    from matplotlib.figure import Figure  # Takes half a second to import.

    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    panel = figure.subplots()
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_xlabel(x_label)
    panel.set_ylabel(y_label)
    return figure, panel
