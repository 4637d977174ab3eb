"""Tables and files of a comparison of methods."""

import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lst_tf2.evaluation.compare_plots import (
    Row,
    draw_accuracy,
    draw_rejection,
    draw_reliability,
)
from lst_tf2.evaluation.figures import write_figure
from lst_tf2.evaluation.report import PERCENT, describe, signed
from lst_tf2.evaluation.tables import markdown_table
from lst_tf2.storage.files import write_bytes, write_json

ACCURACY = "Accuracy; * first, or within the interval of the first"
MILLISECONDS = "Milliseconds an episode"
TIME = "seconds_per_episode"
# What a cell of a table can say of a row.
FIGURES: dict[str, Callable[[Row], str]] = {
    ACCURACY: lambda row: describe(row["accuracy"]) + (" *" if is_among_first(row) else ""),
    "Paired gain over the support set alone": lambda row: signed(row["gain"]),
    "Right pseudo labels": lambda row: describe(row["right_pseudo_labels"]),
    "Distractors rejected where 95 % of the right images are kept": lambda row: describe(
        row["rejected_distractors"]
    ),
    "Expected calibration error": lambda row: f"{PERCENT * row['calibration_error']:.1f}",
    MILLISECONDS: lambda row: f"{1000 * row[TIME]:.0f}",
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


def write_comparison(payload: dict[str, Any], stem: pathlib.Path) -> list[pathlib.Path]:
    """Writes `<stem>.json` and `.md`, and plots `<stem>*.png`; returns their paths.

    Times are in the tables alone: the same comparison gives the same numbers each time.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    rows = payload["rows"]
    numbers, tables = stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.md")
    timeless = [{key: row[key] for key in row if key != TIME} for row in rows]
    write_json(numbers, payload | {"rows": timeless})
    write_bytes(tables, f"{format_comparison(rows)}\n".encode())
    written = [numbers, tables]
    for name, draw in plots_of(rows).items():
        written.append(stem.with_name(f"{stem.name}{name}.png"))
        write_figure(draw(rows), written[-1])
    return written


def plots_of(rows: Sequence[Row]) -> dict[str, Callable[[Sequence[Row]], Any]]:
    """Returns what draws each figure of a comparison, by the ending of its file."""
    plots = {"": draw_accuracy, "_reliability": draw_reliability}
    if any(row["distractor_classes"] for row in rows):
        plots["_rejection"] = draw_rejection
    return plots
