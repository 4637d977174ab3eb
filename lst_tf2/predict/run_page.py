"""Pages about meta-tests of runs, and about a comparison of methods."""

import functools
from collections.abc import Sequence
from typing import Any

from lst_tf2.evaluation.compare_report import FIGURES, MILLISECONDS, plots_of, table_of
from lst_tf2.evaluation.report import (
    MAX_COLUMNS,
    describe,
    differing_settings,
    draw_stages,
    settings_of,
    sort_by_settings,
    table_rows,
)
from lst_tf2.predict.charts import Chart, Line, draw_lines
from lst_tf2.predict.page import inline_svg, render

# What arXiv:1906.00562 reports for 5-way episodes, in percent.
PUBLISHED = [
    ["5-way, published", "mini", "tiered", "mini, distractors", "tiered, distractors"],
    ["1-shot", "70.1 ± 1.9", "77.7 ± 1.6", "64.1 ± 1.9", "73.5 ± 1.6"],
    ["5-shot", "78.7 ± 0.8", "85.2 ± 0.8", "77.4 ± 1.8", "83.4 ± 0.8"],
]
COMPARED = {
    "": "Accuracy over the number of distractor classes",
    "_reliability": "Right labels over confidence",
    "_rejection": "Rejected distractors over the right images that are kept",
}
Table = list[list[str]]


def render_run(summaries: Sequence[dict]) -> str:
    """Returns the page about meta-tests, beside the published numbers."""
    names = differing_settings(summaries)
    ordered = sort_by_settings(summaries, names)
    groups = [ordered[i : i + MAX_COLUMNS] for i in range(0, len(ordered), MAX_COLUMNS)]
    tables = [("Accuracy", table_rows(group, names)) for group in groups]
    charts = [chart for group in groups for chart in run_charts(group)]
    runs = dict.fromkeys(str(summary["run_folder"]) for summary in summaries)
    return render(
        "run.html.j2",
        title=f"Meta-tests of {', '.join(runs)}",
        tables=[*tables, ("What the paper reports", PUBLISHED)],
        charts=charts,
        settings=[settings_of(summary) for summary in ordered],
    )


def run_charts(group: Sequence[dict]) -> list[Chart]:
    """Returns accuracy over stages, and over the steps of the last, of some meta-tests."""
    told = [f"{describe(s['last_step'])} %" for s in group]
    text = f"Queries and pseudo-labels over the stages; after the last step {', '.join(told)}."
    stages = inline_svg(functools.partial(draw_stages, group), text)
    charts = [Chart("Accuracy over the stages of self-training", stages, text)]
    steps = range(1, 1 + max(len(summary["per_step"]) for summary in group))
    lines = []
    for summary in group:
        rows = summary["per_step"]
        label = f"{summary['num_distractor_classes']} distractor classes"
        lines.append(Line(label, [r["mean"] for r in rows], [r["ci95"] for r in rows]))
    text = "Queries after each step of the last stage, with 95 % intervals."
    svg = draw_lines(steps, lines, "step", "accuracy, percent", text)
    return [*charts, Chart("Accuracy over the steps of the last stage", svg, text)]


def render_comparison(payload: dict[str, Any], name: str) -> str:
    """Returns the page about a comparison of methods, as `write_comparison` keeps it."""
    rows = payload["rows"]
    tables: list[tuple[str, Table]] = []
    for shot in dict.fromkeys(row["shot"] for row in rows):
        own = [row for row in rows if row["shot"] == shot]
        tables += [
            (f"{shot}-shot: {title}", table_of(own, tell))
            for title, tell in FIGURES.items()
            if title != MILLISECONDS
        ]
    charts = []
    for ending, draw in plots_of(rows).items():
        text = f"{COMPARED[ending]}, a line for each method; the tables hold the numbers."
        charts.append(
            Chart(COMPARED[ending], inline_svg(functools.partial(draw, rows), text), text)
        )
    return render(
        "run.html.j2",
        title=f"Comparison of methods: {name}",
        tables=[*tables, ("What the paper reports", PUBLISHED)],
        charts=charts,
        settings=[payload["settings"]],
    )
