"""Tables and plots of a comparison of methods."""

import io
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lst_tf2.evaluation.report import PERCENT, describe, signed
from lst_tf2.evaluation.tables import markdown_table
from lst_tf2.files import write_bytes, write_json

Row = dict[str, Any]
ACCURACY = "Accuracy; * first, or within the interval of the first"
# What a cell of a table can say of a row.
FIGURES: dict[str, Callable[[Row], str]] = {
    ACCURACY: lambda row: describe(row["accuracy"]) + (" *" if is_among_first(row) else ""),
    "Paired gain over the support set alone": lambda row: signed(row["gain"]),
    "Right pseudo labels": lambda row: describe(row["right_pseudo_labels"]),
    "Distractors rejected where 95 % of the right images are kept": lambda row: describe(
        row["rejected_distractors"]
    ),
    "Expected calibration error": lambda row: f"{PERCENT * row['calibration_error']:.1f}",
    "Milliseconds an episode": lambda row: f"{1000 * row['seconds_per_episode']:.0f}",
}


def is_among_first(row: Row) -> bool:
    """Returns whether no method is ahead by more than the interval of the paired difference."""
    behind = row["behind"]
    return behind["mean"] <= behind["ci95"]


def kinds_of(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """Returns the distractors and balances of the cells, in order."""
    return list(dict.fromkeys((row["distractor_classes"], row["balance"]) for row in rows))


def first_method(rows: Sequence[Row]) -> str:
    """Returns the method of the highest mean accuracy over all cells."""
    methods = dict.fromkeys(row["method"] for row in rows)
    return max(methods, key=lambda m: sum(r["accuracy"]["mean"] for r in rows if r["method"] == m))


def format_comparison(rows: Sequence[Row], titles: Iterable[str] = FIGURES) -> str:
    """Returns a table for each shot and figure, percent but for the times."""
    parts = []
    for shot in dict.fromkeys(row["shot"] for row in rows):
        own = [row for row in rows if row["shot"] == shot]
        for title in titles:
            head = f"{shot}-shot, {own[0]['episodes']} episodes of each kind. {title}:"
            parts.append(f"{head}\n\n{markdown_table(table_of(own, FIGURES[title]))}")
    return "\n\n".join(parts)


def table_of(rows: Sequence[Row], describe_row: Callable[[Row], str]) -> list[list[str]]:
    """Returns header and a line for each method, a column for each kind of pile."""
    kinds = kinds_of(rows)
    cells = {(r["method"], (r["distractor_classes"], r["balance"])): r for r in rows}
    header = ["method", *(f"{count} dis., {balance}" for count, balance in kinds)]
    methods = dict.fromkeys(row["method"] for row in rows)
    return [header] + [
        [method, *(describe_row(cells[method, kind]) for kind in kinds)] for method in methods
    ]


def plot_comparison(rows: Sequence[Row], path: pathlib.Path) -> None:
    """Draws accuracy over the distractor classes, a line a method, bands for the intervals."""
    from matplotlib.figure import Figure  # Takes half a second to import.

    shots = list(dict.fromkeys(row["shot"] for row in rows))
    balances = list(dict.fromkeys(row["balance"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    size = (1 + 4 * len(balances), 1 + 3.2 * len(shots))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(shots), len(balances), squeeze=False, sharex=True, sharey="row")
    for shot, line in zip(shots, panels, strict=True):
        for balance, panel in zip(balances, line, strict=True):
            own = [r for r in rows if (r["shot"], r["balance"]) == (shot, balance)]
            _plot_panel(panel, own, methods)
            panel.set_title(f"{shot}-shot, {balance}")
        line[0].set_ylabel("accuracy in percent")
    for panel in panels[-1]:
        panel.set_xlabel("distractor classes")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())


def _plot_panel(panel, rows: Sequence[Row], methods: Sequence[str]) -> None:
    for number, method in enumerate(methods):
        own = sorted(
            (row for row in rows if row["method"] == method), key=lambda r: r["distractor_classes"]
        )
        counts = [row["distractor_classes"] for row in own]
        means = [PERCENT * row["accuracy"]["mean"] for row in own]
        widths = [PERCENT * row["accuracy"]["ci95"] for row in own]
        colour = f"C{number % 10}"
        style = "-" if number < 10 else "--"
        panel.plot(counts, means, style, color=colour, label=method, marker=".")
        lows = [m - w for m, w in zip(means, widths, strict=True)]
        highs = [m + w for m, w in zip(means, widths, strict=True)]
        panel.fill_between(counts, lows, highs, color=colour, alpha=0.12, linewidth=0)
        panel.set_xticks(counts)


def write_comparison(payload: dict[str, Any], stem: pathlib.Path) -> list[pathlib.Path]:
    """Writes `<stem>.json`, `.md` and `.png`, and returns their paths."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("json", "md", "png")]
    write_json(paths[0], payload)
    write_bytes(paths[1], f"{format_comparison(payload['rows'])}\n".encode())
    plot_comparison(payload["rows"], paths[2])
    return paths
