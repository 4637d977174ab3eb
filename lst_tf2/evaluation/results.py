"""Results of meta-tests as files, each named by its settings, so that none overwrites another."""

import csv
import dataclasses
import hashlib
import io
import json
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import MetaTestConfig
from lst_tf2.errors import MissingInputError, check
from lst_tf2.evaluation.figures import write_figure
from lst_tf2.evaluation.report import DATA, draw_stages
from lst_tf2.runs.run_folder import flatten_settings
from lst_tf2.storage.arrays import write_arrays
from lst_tf2.storage.files import read_json, write_bytes, write_json

DIGEST_LENGTH = 8
# What the results of a meta-test hold: means with intervals, lists of such, numbers.
FIGURES = ("baseline", "last_step", "best_step", "gain", "first_stage_gain")
FIGURE_LISTS = ("per_stage", "per_step", "pseudo_label_accuracy")
COUNTS = ("way", "shot", "queries_per_class", "episodes", "num_distractor_classes", "test_step")


def result_name(summary: dict) -> str:
    """Returns what the files of a meta-test are called, the same for the same settings.

    Way, shot, distractor classes, method and the step of the checkpoint can be read in it; a
    digest tells all settings apart that make a difference.
    """
    text = json.dumps(summary["settings"], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    method = re.sub(r"\W", "_", summary["settings"]["self_training"]["method"])
    return (
        f"results_{summary['way']}way_{summary['shot']}shot_"
        f"{summary['num_distractor_classes']}distractors_{method}_step{summary['test_step']}_"
        f"{digest}"
    )


def write_results(
    summary: dict, curves: dict[str, np.ndarray], folder: pathlib.Path
) -> list[pathlib.Path]:
    """Writes the results of a meta-test as `result_name` with four suffixes.

    Args:
        summary: As `lst_tf2.evaluation.statistics.summarize` gives it; goes into `.json`, `.csv`
            and `.png`.
        curves: The accuracy of every episode after every step; goes into `.npz`.
        folder: The run's.

    Returns:
        The paths.
    """
    stem = folder / result_name(summary)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("json", "csv", "png", "npz")]
    write_json(paths[0], summary)
    write_bytes(paths[1], to_csv(summary, folder.name).encode())
    write_figure(draw_stages([summary]), paths[2])
    write_arrays(paths[3], curves, is_packed=True)
    return paths


def to_csv(summary: dict, run: str) -> str:
    """Returns the results of a run as a header and one row; nested keys are joined by dots.

    Run, data set and method come first, all settings last, so that rows of several runs join.
    """
    settings = flatten_settings(summary["settings"])
    row = {
        "run": run,
        "dataset": pathlib.PurePath(settings[DATA]).name,
        "method": settings["self_training.method"],
    }
    for key, value in summary.items():
        if key in ("settings", "per_step"):
            continue
        entries = value if isinstance(value, list) else [value]
        for number, entry in enumerate(entries, start=1):
            prefix = f"{key}.{number}" if isinstance(value, list) else key
            fields = entry if isinstance(entry, dict) else {"": entry}
            row |= {f"{prefix}.{name}".rstrip("."): field for name, field in fields.items()}
    row |= {f"settings.{name}": value for name, value in settings.items()}
    file = io.StringIO()
    writer = csv.DictWriter(file, row, lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return file.getvalue()


def read_summaries(folders: Sequence[pathlib.Path]) -> list[dict]:
    """Returns all results of some runs, each with the folder of its run as `run_folder`.

    Raises:
        MissingInputError: If a run has none.
        InputError: If a file is damaged.
    """
    return [
        summary | {"run_folder": str(folder)}
        for folder in dict.fromkeys(folders)
        for summary in _read_folder(folder)
    ]


def _read_folder(folder: pathlib.Path) -> list[dict]:
    summaries = [read_summary(path) for path in sorted(folder.glob("results_*.json"))]
    if not summaries:
        raise MissingInputError(
            f"Expected results_*.json in {folder}, found none; run `lst test` first."
        )
    return summaries


def read_summary(path: pathlib.Path) -> dict:
    """Returns the results of one meta-test.

    Raises:
        InputError: If the file is missing or damaged.
    """
    types = dict.fromkeys((*FIGURES, "settings"), dict)
    lists = dict.fromkeys(FIGURE_LISTS, list)
    summary = read_json(path, **types, **lists, **dict.fromkeys(COUNTS, int))
    figures = [summary[name] for name in FIGURES]
    figures += [figure for name in FIGURE_LISTS for figure in summary[name]]
    remedy = "test again, or remove it"
    check(all(map(_is_figure, figures)), f"means and intervals in {path}", "others", remedy)
    is_whole = _is_like(summary["settings"], dataclasses.asdict(MetaTestConfig("", "")))
    is_whole = is_whole and all(summary[name] for name in FIGURE_LISTS)
    check(is_whole, f"the results of a meta-test in {path}", "others", remedy)
    return summary


def _is_figure(figure: object) -> bool:
    """Returns whether it is what `statistics.estimate` returns."""
    kinds = (int, float, type(None))
    return isinstance(figure, dict) and all(
        isinstance(figure.get(name, ""), kinds) for name in ("mean", "ci95")
    )


def _is_like(found: object, known: object) -> bool:
    """Returns whether what JSON holds is of the kind of `known`, part by part."""
    if isinstance(known, dict):
        return isinstance(found, dict) and all(
            _is_like(found.get(name, value), value) for name, value in known.items()
        )
    kinds = {tuple: (list, tuple), int: (int, float), float: (int, float)}
    return isinstance(found, kinds.get(type(known), type(known)))
