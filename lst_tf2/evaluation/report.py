"""Results as files, as one printed table and as a plot."""

import csv
import dataclasses
import io
import math
import pathlib
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import SelfTrainingConfig
from lst_tf2.errors import MissingInputError
from lst_tf2.files import read_json, write_bytes, write_json

PERCENT = 100.0
NOTHING = {"mean": math.nan, "ci95": math.nan}
# Meta-tests that differ in one of these do not stand side by side in a table.
TABLE_KEYS = ("way", "shot", "queries_per_class", "episodes", "protocol", "seed", "test_iter")
DEFAULTS = dataclasses.asdict(SelfTrainingConfig()) | {
    "initial_classifier": "meta",
    "bn_stats": "batch",
    "precision": "float32",
}
# What a name says of settings that are not at these defaults.
VARIATIONS = {
    "inner_lr": "lr{}",
    "retrain_steps": "{}retrain",
    "steps_per_stage": "{}stagesteps",
    "inner_steps": "{}steps",
    "selection": "{}selection",
    "weighting": "{}weighting",
    "initial_classifier": "{}classifier",
    "bn_stats": "{}",
    "precision": "{}",
}


def variation(summary: dict) -> str:
    """Returns the words for settings of a meta-test that are not at their defaults."""
    settings = summary["settings"]
    settings = settings | settings["self_training"] | settings.get("model", {})
    return "_".join(
        text.format(settings[name])
        for name, text in VARIATIONS.items()
        if settings.get(name, DEFAULTS[name]) != DEFAULTS[name]
    )


def setting_name(summary: dict) -> str:
    """Returns the part of the file names that tells one meta-test of a run from another."""
    lists, stages = summary["settings"]["test_list"], summary["settings"]["self_training"]
    words = variation(summary)
    return (
        f"{summary['way']}way_{summary['shot']}shot_{lists['episode']['unlabeled_per_class']}unlabeled"
        f"_{summary['num_distractor_classes']}distractors_{len(summary['per_stage'])}stages"
        f"_{stages['unlabeled_per_stage']}seen_{stages['selected_per_class']}kept"
        f"_{summary['episodes']}episodes{'_' if words else ''}{words}"
        f"_{summary['protocol']}_seed{summary['seed']}_{summary['test_iter']}"
    )


def write_results(
    summary: dict, curves: dict[str, np.ndarray], folder: pathlib.Path
) -> list[pathlib.Path]:
    """Writes the results of a meta-test as `results_<setting>` with four suffixes.

    Args:
        summary: Goes into `.json`, `.csv` and `.png`.
        curves: The accuracy of every episode after every step; goes into `.npz`.
        folder: The run's.

    Returns:
        The paths.
    """
    stem = folder / f"results_{setting_name(summary)}"
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("json", "csv", "png", "npz")]
    write_json(paths[0], summary)
    write_bytes(paths[1], to_csv(summary).encode())
    plot_stages([summary], paths[2])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **curves)
    write_bytes(paths[3], buffer.getvalue())
    return paths


def to_csv(summary: dict) -> str:
    """Returns the results as a header and one row; nested keys are joined by dots."""
    row = {}
    for key, value in summary.items():
        if key in ("settings", "per_step"):
            continue
        entries = value if isinstance(value, list) else [value]
        for number, entry in enumerate(entries, start=1):
            prefix = f"{key}.{number}" if isinstance(value, list) else key
            fields = entry if isinstance(entry, dict) else {"": entry}
            row |= {f"{prefix}.{name}".rstrip("."): field for name, field in fields.items()}
    file = io.StringIO()
    writer = csv.DictWriter(file, row, lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return file.getvalue()


def describe(figure: dict) -> str:
    """Returns an accuracy with its interval in percent."""
    if figure["mean"] is None:
        return "none"
    return f"{PERCENT * figure['mean']:.1f} ± {PERCENT * figure['ci95']:.1f}"


def signed(figure: dict) -> str:
    """Returns a difference with its interval in percentage points."""
    return f"{PERCENT * figure['mean']:+.1f} ± {PERCENT * figure['ci95']:.1f}"


def title_of(summary: dict) -> str:
    """Returns a column's title."""
    count = summary["num_distractor_classes"]
    return f"{count} distractor classes" if count else "no distractors"


def table_rows(summaries: list[dict]) -> list[list[str]]:
    """Returns the table of some meta-tests, one column each, accuracies in percent."""
    stages = [len(summary["per_stage"]) for summary in summaries]
    return [
        [f"{s['way']}-way {s['shot']}-shot, %" for s in summaries[:1]]
        + [title_of(summary) for summary in summaries],
        ["support only"] + [describe(s["baseline"]) for s in summaries],
        ["LST, first stage"] + [describe(s["per_stage"][0]) for s in summaries],
        [f"LST, last stage ({max(stages)}), last step"]
        + [describe(s["last_step"]) for s in summaries],
        ["LST, best step (as the paper reports)"] + [describe(s["best_step"]) for s in summaries],
        ["paired gain, first stage"] + [signed(s["first_stage_gain"]) for s in summaries],
        ["paired gain, last step"] + [signed(s["gain"]) for s in summaries],
        ["right pseudo labels, first stage"]
        + [describe(s["pseudo_label_accuracy"][0]) for s in summaries],
        ["right pseudo labels, last stage"]
        + [describe(s["pseudo_label_accuracy"][-1]) for s in summaries],
    ]


def format_table(summaries: list[dict]) -> str:
    """Returns the table of some meta-tests of one run as aligned lines."""
    rows = table_rows(summaries)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    episodes = sorted({summary["episodes"] for summary in summaries})
    first = summaries[0]
    lines.append(
        f"mean ± 95 % interval over {', '.join(map(str, episodes))} episodes, protocol "
        f"{first['protocol']}, checkpoint {first['test_iter']}, seed {first['seed']}"
        + (f", {variation(first).replace('_', ', ')}" if variation(first) else "")
    )
    return "\n".join(lines)


def plot_stages(summaries: list[dict], path: pathlib.Path) -> None:
    """Draws accuracy over stages with 95 % intervals, one panel for each meta-test."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(summaries), figsize=(5.5 * len(summaries), 4), squeeze=False, sharey=True
    )
    for panel, summary in zip(panels[0], summaries, strict=True):
        _plot_panel(panel, summary)
    panels[0][0].set_ylabel("accuracy, %")
    panels[0][0].legend(loc="best")
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    pyplot.close(figure)
    write_bytes(path, buffer.getvalue())


def _plot_panel(panel, summary: dict) -> None:
    stages = range(1, len(summary["per_stage"]) + 1)
    # Colours of Okabe and Ito, told apart by colour-blind readers; markers differ too.
    for key, label, color, marker in (
        ("per_stage", "LST on queries", "#0072B2", "o"),
        ("pseudo_label_accuracy", "pseudo labels of the stage", "#E69F00", "s"),
    ):
        figures = [figure if figure["mean"] is not None else NOTHING for figure in summary[key]]
        means = [PERCENT * figure["mean"] for figure in figures]
        errors = [PERCENT * figure["ci95"] for figure in figures]
        panel.errorbar(stages, means, errors, label=label, color=color, marker=marker, capsize=3)
    mean, half = (PERCENT * summary["baseline"][key] for key in ("mean", "ci95"))
    panel.axhline(mean, color="#555555", linestyle="--", label="support only")
    panel.axhspan(mean - half, mean + half, color="#555555", alpha=0.15)
    panel.set_xticks(list(stages))
    panel.set_xlabel("self-training stage")
    panel.set_title(
        f"{summary['way']}-way {summary['shot']}-shot, {title_of(summary)}", fontsize="medium"
    )


def read_summaries(folders: Sequence[pathlib.Path]) -> list[dict]:
    """Returns all results of some runs, those without distractors first.

    Raises:
        MissingInputError: If a run has none.
    """
    summaries = [summary for folder in folders for summary in _read_folder(folder)]
    return sorted(summaries, key=lambda summary: summary["num_distractor_classes"])


def _read_folder(folder: pathlib.Path) -> list[dict]:
    types = dict.fromkeys(("baseline", "last_step", "best_step", "gain", "settings"), dict)
    lists = {"per_stage": list, "pseudo_label_accuracy": list}
    summaries = [
        read_json(path, **types, **lists, num_distractor_classes=int)
        for path in sorted(folder.glob("results_*.json"))
    ]
    if not summaries:
        raise MissingInputError(
            f"Expected results_*.json in {folder}, found none; run `lst test` first."
        )
    return summaries


def group_tables(summaries: list[dict]) -> list[list[dict]]:
    """Returns the meta-tests in groups that can stand side by side."""
    groups: dict[tuple, list[dict]] = {}
    for summary in summaries:
        key = (*(summary.get(name) for name in TABLE_KEYS), variation(summary))
        groups.setdefault(key, []).append(summary)
    return list(groups.values())
