import copy
import csv
import json

import numpy as np
import pytest
from PIL import Image

from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.evaluation import report


def figure(mean, ci95=0.01):
    return {"mean": mean, "ci95": ci95}


@pytest.fixture(name="summary")
def fixture_summary():
    return {
        "way": 5,
        "shot": 1,
        "queries_per_class": 15,
        "episodes": 100,
        "protocol": "standard",
        "num_distractor_classes": 0,
        "seed": 0,
        "test_iter": "last",
        "baseline": figure(0.801),
        "last_step": figure(0.9, 0.0123),
        "best_step": {**figure(0.91), "step": 63},
        "per_stage": [figure(0.85), figure(0.9)],
        "gain": figure(0.099),
        "first_stage_gain": figure(-0.049),
        "pseudo_label_accuracy": [figure(None), figure(0.97)],
        "per_step": [figure(0.9)] * 3,
        "settings": {
            "test_list": {"episode": {"unlabeled_per_class": 100}},
            "self_training": {"unlabeled_per_stage": 30, "selected_per_class": 20},
        },
    }


def test_files_hold_the_same_figures(summary, tmp_path):
    curves = {"final": np.array([[0.8, 0.9], [0.6, 0.9]])}
    json_path, csv_path, png_path, npz_path = report.write_results(summary, curves, tmp_path)
    assert json_path.name == (
        "results_5way_1shot_100unlabeled_0distractors_2stages_30seen_20kept_100episodes_standard_seed0_last.json"
    )
    stored = json.loads(json_path.read_text())
    assert stored["best_step"] == summary["best_step"]
    with csv_path.open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["last_step.ci95"]) == 0.0123
    assert float(row["per_stage.2.mean"]) == 0.9
    assert row["protocol"] == "standard"
    with np.load(npz_path) as stored:
        np.testing.assert_array_equal(stored["final"], curves["final"])
    with Image.open(png_path) as image:
        assert image.size[0] > 400


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retrain_steps": 0}, "_0retrain_"),
        ({"inner_lr": 0.02, "inner_steps": 60}, "_lr0.02_60steps_"),
        ({"selection": "none", "weighting": "none"}, "_noneselection_noneweighting_"),
    ],
)
def test_no_setting_overwrites_the_results_of_another(summary, changes, words):
    other = copy.deepcopy(summary)
    other["settings"]["self_training"] |= changes
    assert words in report.setting_name(other)
    assert report.setting_name(summary) == report.setting_name(other).replace(words, "_")
    assert len(report.group_tables([summary, other])) == 2


def test_table_gives_percent_with_intervals(summary):
    lines = report.format_table([summary]).splitlines()
    cells = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines[:-1]}
    assert cells["support only"] == "80.1 ± 1.0"
    assert cells["LST, first stage"] == "85.0 ± 1.0"
    assert cells["LST, last stage (2), last step"] == "90.0 ± 1.2"
    assert cells["paired gain, first stage"] == "-4.9 ± 1.0"
    assert cells["paired gain, last step"] == "+9.9 ± 1.0"
    assert cells["right pseudo labels, first stage"] == "none"
    assert lines[-1] == (
        "mean ± 95 % interval over 100 episodes, protocol standard, checkpoint last, seed 0"
    )


def test_unlike_tests_do_not_share_a_table(summary):
    other = summary | {"num_distractor_classes": 3}
    shots = summary | {"shot": 5}
    assert report.group_tables([summary, shots, other]) == [[summary, other], [shots]]


@pytest.mark.parametrize("content", ["[]", "{}", "{"])
def test_damaged_results_are_refused(content, tmp_path):
    (tmp_path / "results_x.json").write_text(content)
    with pytest.raises(InputError, match=r"results_x\.json"):
        report.read_summaries([tmp_path])


def test_same_results_give_the_same_bytes(summary, tmp_path):
    first, second = (report.write_results(summary, {}, tmp_path / name) for name in "ab")
    for left, right in zip(first, second, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_run_without_results_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"found none; run `lst test` first"):
        report.read_summaries([tmp_path])
