"""Files of results: what they hold, and that none overwrites another.

Also of `evaluation/figures.py`.
"""

import copy
import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from lst_tf2.config import MetaTestConfig
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.evaluation import results
from lst_tf2.evaluation.report import format_tables
from lst_tf2.evaluation.statistics import FREE_SETTINGS, summarize, telling_settings
from lst_tf2.runs.run_folder import flatten_settings


def test_files_hold_the_same_figures(summary, tmp_path):
    curves = {"final": np.array([[0.8, 0.9], [0.6, 0.9]])}
    json_path, csv_path, png_path, npz_path = results.write_results(summary, curves, tmp_path)
    assert re.fullmatch(
        r"results_5way_1shot_0distractors_lst_step300_[0-9a-f]{8}\.json", json_path.name
    )
    stored = json.loads(json_path.read_text())
    assert stored["best_step"] == summary["best_step"]
    with csv_path.open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["last_step.ci95"]) == 0.0123
    assert float(row["per_stage.2.mean"]) == 0.9
    assert row["protocol"] == "standard"
    assert list(row)[:3] == ["run", "dataset", "method"]
    assert row["run"] == tmp_path.name
    assert row["settings.self_training.inner_lr"] == "0.01"
    with np.load(npz_path) as stored:
        np.testing.assert_array_equal(stored["final"], curves["final"])
    with Image.open(png_path) as image:
        assert image.size[0] > 400


def other_value(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    return value + 1 if isinstance(value, int | float) else [*value, "x"]


def leaves(settings, *path):
    """Yields the path of every setting."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from leaves(value, *path, name)
        else:
            yield (*path, name)


SETTINGS = json.loads(json.dumps(telling_settings(MetaTestConfig("checkpoints/a", "step_9.npz"))))


@pytest.mark.parametrize("path", list(leaves(SETTINGS)), ids=".".join)
def test_any_other_setting_gives_another_name(path, summary):
    other = copy.deepcopy(SETTINGS)
    inner = other
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = other_value(inner[path[-1]])
    names = [results.result_name(summary | {"settings": s}) for s in (SETTINGS, other)]
    assert names[0] != names[1]


def test_every_setting_counts_but_those_that_change_no_number():
    stored = flatten_settings(SETTINGS)
    for name in flatten_settings(dataclasses.asdict(MetaTestConfig("", ""))):
        assert (name in stored) != (name.split(".")[0] in FREE_SETTINGS), name


def test_longer_training_leaves_another_result(summary):
    names = {results.result_name(summary | {"test_step": step}) for step in (300, 400)}
    assert len(names) == 2


def test_same_settings_give_the_same_name_wherever_they_ran(summary):
    curves = {
        "baseline": np.zeros((2, 100)),
        "final": np.zeros((2, 100)),
        "stages": np.zeros((2, 4, 40)),
        "pseudo_labels": np.zeros((2, 4)),
        "confidence": np.zeros((2, 5)),
        "outcomes": np.zeros((2, 5), np.int32),
    }
    here, there = (
        summarize(MetaTestConfig(folder, "step_9.npz", cache=cache), 3, curves)
        for folder, cache in (("checkpoints/a", "ram"), ("checkpoints/b", "packed"))
    )
    # What was read from a file has lists in place of tuples.
    read = json.loads(json.dumps(here))
    assert len({results.result_name(s) for s in (here, there, read)}) == 1


@pytest.mark.parametrize("content", ["[]", "{}", "{"])
def test_damaged_results_are_refused(content, tmp_path):
    (tmp_path / "results_x.json").write_text(content)
    with pytest.raises(InputError, match=r"results_x\.json"):
        results.read_summaries([tmp_path])


def test_results_of_several_runs_know_their_run(summary, tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        results.write_results(summary, {}, folder)
    read = results.read_summaries([*folders, folders[0]])
    assert [entry["run_folder"] for entry in read] == list(map(str, folders))


def test_same_results_give_the_same_bytes(summary, tmp_path):
    first, second = (results.write_results(summary, {}, tmp_path / name / "run") for name in "ab")
    for left, right in zip(first, second, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_run_without_results_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="found none; run `lst test` first"):
        results.read_summaries([tmp_path])


def spoilt(value, path=()):
    """Yields copies of what JSON holds in which one value each is of another kind."""
    for other in (None, "x", [], {}):
        if type(other) is not type(value):
            yield path, other
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from spoilt(inner, (*path, key))


def put(value, path, other):
    if not path:
        return other
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], other)
    return value


@pytest.mark.slow
def test_damaged_results_are_refused_or_shown(summary, tmp_path):
    path = tmp_path / "results_x.json"
    for place, other in spoilt(summary):
        path.write_text(json.dumps(put(summary, place, other)))
        try:
            found = results.read_summaries([tmp_path])
        except InputError:
            continue
        format_tables(found)
