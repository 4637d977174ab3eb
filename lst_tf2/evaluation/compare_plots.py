"""Plots of a comparison of methods: accuracy, rejected distractors, reliability.

Each has a column for each balance of the unlabeled images, and a line for each method that has
the same colour in all panels.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lst_tf2.evaluation.report import PERCENT

Row = dict[str, Any]
# Draws what the rows of one method say onto a panel, in a style.
DrawPanel = Callable[[Any, Sequence[Row], dict[str, Any]], None]


def draw_accuracy(rows: Sequence[Row]):
    """Returns a figure of accuracy over the distractor classes, bands for the intervals."""
    labels = {"xlabel": "distractor classes", "ylabel": "accuracy, percent"}
    return _draw(rows, ("shot",), _accuracy_of, labels)


def draw_rejection(rows: Sequence[Row]):
    """Returns a figure of the rejected distractors over the right images that are kept."""
    labels = {"xlabel": "right images kept, percent", "ylabel": "distractors rejected, percent"}
    mixed = [row for row in rows if row["distractor_classes"]]
    return _draw(mixed, ("shot", "distractor_classes"), _rejection_of, labels)


def draw_reliability(rows: Sequence[Row]):
    """Returns a figure of the share of right images over their confidence; best is the diagonal."""
    labels = {"xlabel": "confidence, percent", "ylabel": "right labels, percent"}
    return _draw(rows, ("shot", "distractor_classes"), _reliability_of, labels)


def _draw(rows: Sequence[Row], keys: Sequence[str], draw: DrawPanel, labels: dict[str, str]):
    """Returns a figure with a line of panels for each combination of `keys` in the rows."""
    from matplotlib.figure import Figure  # Takes half a second to import.

    groups = list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))
    balances = list(dict.fromkeys(row["balance"] for row in rows))
    styles = {m: _style(i, m) for i, m in enumerate(dict.fromkeys(row["method"] for row in rows))}
    size = (1 + 4 * len(balances), 1 + 3.2 * len(groups))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(groups), len(balances), squeeze=False, sharex=True, sharey="row")
    for group, line in zip(groups, panels, strict=True):
        for balance, panel in zip(balances, line, strict=True):
            panel.set_title(", ".join([*map(_title, keys, group), balance]))
            own = [
                r for r in rows if (*(r[key] for key in keys), r["balance"]) == (*group, balance)
            ]
            for method, style in styles.items():
                draw(panel, [row for row in own if row["method"] == method], style)
        line[0].set_ylabel(labels["ylabel"])
    for panel in panels[-1]:
        panel.set_xlabel(labels["xlabel"])
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", fontsize="small")
    return figure


def _title(key: str, value: int) -> str:
    return f"{value}-shot" if key == "shot" else f"{value} distractor classes"


def _style(number: int, method: str) -> dict[str, Any]:
    """Returns a style that no other number below 20 has."""
    styles = {"color": f"C{number % 10}", "linestyle": "-" if number < 10 else "--"}
    return {**styles, "label": method, "marker": "."}


def _accuracy_of(panel, rows: Sequence[Row], style: dict[str, Any]) -> None:
    rows = sorted(rows, key=lambda row: row["distractor_classes"])
    counts = [row["distractor_classes"] for row in rows]
    means = [PERCENT * row["accuracy"]["mean"] for row in rows]
    widths = [PERCENT * row["accuracy"]["ci95"] for row in rows]
    panel.plot(counts, means, **style)
    lows = [m - w for m, w in zip(means, widths, strict=True)]
    highs = [m + w for m, w in zip(means, widths, strict=True)]
    panel.fill_between(counts, lows, highs, color=style["color"], alpha=0.12, linewidth=0)
    panel.set_xticks(counts)


def _rejection_of(panel, rows: Sequence[Row], style: dict[str, Any]) -> None:
    for row in rows:
        curve = row["rejection_curve"]
        kept = [PERCENT * point["kept_share"] for point in curve]
        panel.plot(kept, [PERCENT * point["mean"] for point in curve], **style)


def _reliability_of(panel, rows: Sequence[Row], style: dict[str, Any]) -> None:
    panel.plot([0, PERCENT], [0, PERCENT], color="grey", linewidth=0.8, linestyle=":")
    for row in rows:
        confidence = [PERCENT * one["confidence"] for one in row["reliability"]]
        panel.plot(confidence, [PERCENT * one["right"] for one in row["reliability"]], **style)
