"""Results of meta-tests side by side: tables with columns titled by what differs, and a plot."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from lst_tf2.config import MetaTestConfig
from lst_tf2.runs.run_folder import flatten_settings

PERCENT = 100.0
MAX_COLUMNS = 5
# What titles call a method; others go by their own names.
NAMES = {"lst": "LST"}
DEFAULTS = flatten_settings(dataclasses.asdict(MetaTestConfig("", "")))
DISTRACTORS = "test_list.episode.num_distractor_classes"
DATA = "test_list.data_folder"
# What a reader looks for first, in this order before all other settings.
FIRST = ("run_folder", DATA, "test_list.episode.way", "test_list.episode.shot", DISTRACTORS)
# Paths are told where nothing else tells two results apart.
PATHS = ("pretrained_path", "finetune_path")


def settings_of(summary: dict) -> dict[str, Any]:
    """Returns the settings of a meta-test by dotted name, what a reader looks for first."""
    flat = flatten_settings(summary["settings"]) | {DISTRACTORS: summary["num_distractor_classes"]}
    flat |= {name: summary[name] for name in ("run_folder", "test_step") if name in summary}
    names = [*FIRST, *(name for name in flat if name not in FIRST + PATHS), *PATHS]
    return {name: flat[name] for name in names if name in flat}


def differing_settings(summaries: Sequence[dict]) -> list[str]:
    """Returns the names of the settings in which meta-tests differ.

    One that only some of them know, as they were made by another version, is no difference.
    """
    settings = [settings_of(summary) for summary in summaries]
    differing: list[str] = []
    for name in settings[0]:
        values = [_key(flat.get(name)) for flat in settings]
        known = all(name in flat for flat in settings)
        if known and len(set(values)) > 1 and not _is_told(name, values, differing, settings):
            differing.append(name)
    return differing


def _is_told(name: str, values: list, told: list[str], settings: list[dict]) -> bool:
    """Returns whether a path differs only where settings that are `told` differ as well."""
    keys = [tuple(_key(flat[other]) for other in told) for flat in settings]
    return name in PATHS and len(set(zip(keys, values, strict=True))) == len(set(keys))


def _key(value: Any) -> str | float:
    return value if isinstance(value, int | float) else str(value)


def phrase(name: str, value: Any) -> str:
    """Returns a setting as a title says it."""
    if name == DISTRACTORS:
        return f"{value} distractor classes" if value else "no distractors"
    if name in (DATA, "run_folder"):
        return pathlib.PurePath(value).name
    word = name.rpartition(".")[2]
    if word in ("way", "shot"):
        return f"{value}-{word}"
    text = ",".join(map(str, value)) if isinstance(value, list) else value
    return f"no {word}" if text == "" else f"{word}={text}"


def titles_of(summaries: Sequence[dict], names: Sequence[str]) -> list[list[str]]:
    """Returns the lines of each column's title: its settings `names`, or the distractors."""
    settings = map(settings_of, summaries)
    return [[phrase(name, flat[name]) for name in names or [DISTRACTORS]] for flat in settings]


def describe(figure: dict) -> str:
    """Returns an accuracy with its interval in percent."""
    return _with_interval(figure, ".1f")


def signed(figure: dict) -> str:
    """Returns a difference with its interval in percentage points."""
    return _with_interval(figure, "+.1f")


def _with_interval(figure: dict, form: str) -> str:
    mean, half = _in_percent(figure)
    if math.isnan(mean):
        return "none"
    return f"{mean:{form}}" if math.isnan(half) else f"{mean:{form}} ± {half:.1f}"


def _in_percent(figure: dict) -> tuple[float, float]:
    """Returns mean and half of the interval; NaN for what there is not."""
    values = (figure["mean"], figure["ci95"])
    return tuple(math.nan if value is None else PERCENT * value for value in values)


def title_of(summary: dict) -> str:
    """Returns what distractors a meta-test had."""
    return phrase(DISTRACTORS, summary["num_distractor_classes"])


def table_rows(summaries: Sequence[dict], names: Sequence[str]) -> list[list[str]]:
    """Returns the table of some meta-tests, one column each, accuracies in percent.

    Args:
        summaries: As `lst_tf2.evaluation.statistics.summarize` gives them.
        names: Of the settings that title the columns, dotted; none: the distractors do.

    Returns:
        The lines of the title, then a row for each figure, of words; the first of each line
        says what the others are.
    """
    counts = {len(summary["per_stage"]) for summary in summaries}
    stages = f" ({counts.pop()})" if len(counts) == 1 else ""
    method = _common_method(summaries)
    head, *more = zip(*titles_of(summaries, names), strict=True)
    rows = [
        ("support only", lambda s: describe(s["baseline"])),
        (f"{method}, first stage", lambda s: describe(s["per_stage"][0])),
        (f"{method}, last stage{stages}, last step", lambda s: describe(s["last_step"])),
        (f"{method}, best step (as the paper reports)", lambda s: describe(s["best_step"])),
        ("paired gain, first stage", lambda s: signed(s["first_stage_gain"])),
        ("paired gain, last step", lambda s: signed(s["gain"])),
        (
            "right pseudo labels, first stage",
            lambda s: describe(s["pseudo_label_accuracy"][0]),
        ),
        ("right pseudo labels, last stage", lambda s: describe(s["pseudo_label_accuracy"][-1])),
    ]
    return [
        [_common_episode(summaries), *head],
        *(["", *line] for line in more),
        *([title, *map(cell_of, summaries)] for title, cell_of in rows),
    ]


def method_of(summary: dict) -> str:
    """Returns the method of a meta-test; those of older versions are all LST."""
    return summary["settings"].get("self_training", {}).get("method", "lst")


def _title_method(summary: dict) -> str:
    return NAMES.get(method_of(summary), method_of(summary))


def _common_method(summaries: Sequence[dict]) -> str:
    methods = set(map(_title_method, summaries))
    return methods.pop() if len(methods) == 1 else "self-training"


def _common_episode(summaries: Sequence[dict]) -> str:
    words = [
        words.pop()
        for name in ("way", "shot")
        if len(words := {f"{summary[name]}-{name}" for summary in summaries}) == 1
    ]
    return f"{' '.join(words) or 'accuracy'}, %"


def format_table(summaries: Sequence[dict], names: Sequence[str] = ()) -> str:
    """Returns the table of some meta-tests as aligned lines, above what they have in common.

    Args:
        summaries: One column each.
        names: Of the settings that title the columns.
    """
    table = tabulate(table_rows(summaries, names), tablefmt="plain", disable_numparse=True)
    counts = ", ".join(map(str, sorted({summary["episodes"] for summary in summaries})))
    common = _common_settings(summaries, names)
    return f"{table}\nmean ± 95 % interval over {counts} episodes{common}"


def _common_settings(summaries: Sequence[dict], names: Sequence[str]) -> str:
    """Returns the settings that all have in common, those at their defaults left out."""
    hidden = {*names, *FIRST, *PATHS, "test_list.num_episodes"}
    always = ("protocol", "test_iter", "test_list.seed")
    words = [
        phrase(name, value)
        for name, value in settings_of(summaries[0]).items()
        if name not in hidden and (name in always or value != DEFAULTS.get(name, value))
    ]
    return "".join(f", {word}" for word in words)


def sort_by_settings(summaries: Sequence[dict], names: Sequence[str]) -> list[dict]:
    """Returns the meta-tests ordered by their settings `names`, so that like stands by like."""

    def place(summary: dict) -> list[tuple]:
        flat = settings_of(summary)
        return [_sortable(flat[name]) for name in names]

    return sorted(summaries, key=place)


def format_tables(summaries: Sequence[dict]) -> str:
    """Returns any number of meta-tests side by side, in tables of a few columns each."""
    names = differing_settings(summaries)
    ordered = sort_by_settings(summaries, names)
    starts = range(0, len(ordered), MAX_COLUMNS)
    return "\n\n".join(format_table(ordered[i : i + MAX_COLUMNS], names) for i in starts)


def _sortable(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else 0.0, str(value)


def draw_stages(summaries: Sequence[dict]):
    """Returns a figure of accuracy over stages with 95 % intervals, a panel for each meta-test."""
    names = differing_settings(summaries)
    summaries = sort_by_settings(summaries, names)
    from matplotlib.figure import Figure  # Takes half a second to import.

    columns = min(len(summaries), MAX_COLUMNS)
    rows = math.ceil(len(summaries) / columns)
    size = (5.5 * columns, 4 * rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    panels = grid.flatten()
    for panel, summary, title in zip(panels, summaries, titles_of(summaries, names), strict=False):
        _plot_panel(panel, summary)
        own = (f"{summary['way']}-way", f"{summary['shot']}-shot")
        lines = [" ".join(own), *(line for line in title if line not in own)]
        panel.set_title((", " if len(lines) == 2 else "\n").join(lines), fontsize="medium")
    for panel in panels[len(summaries) :]:
        panel.remove()
    for panel in grid[:, 0]:
        panel.set_ylabel("accuracy, %")
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize="small",
    )
    return figure


def _plot_panel(panel, summary: dict) -> None:
    stages = range(1, len(summary["per_stage"]) + 1)
    # Colours of Okabe and Ito, told apart by colour-blind readers; markers differ too.
    for key, label, color, marker in (
        ("per_stage", f"{_title_method(summary)} on queries", "#0072B2", "o"),
        ("pseudo_label_accuracy", "pseudo labels of the stage", "#E69F00", "s"),
    ):
        means, errors = zip(*map(_in_percent, summary[key]), strict=True)
        panel.errorbar(stages, means, errors, label=label, color=color, marker=marker, capsize=3)
    mean, half = _in_percent(summary["baseline"])
    panel.axhline(mean, color="#7F7F7F", linestyle="--", label="support only")
    panel.axhspan(mean - half, mean + half, color="#7F7F7F", alpha=0.2)
    panel.set_xticks(list(stages))
    panel.set_xlabel("self-training stage")
