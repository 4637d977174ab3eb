"""Tests of `evaluation/ablation.py` and `evaluation/tables.py`."""

import copy

import pytest

from lst_tf2.errors import InputError
from lst_tf2.evaluation import ablation
from lst_tf2.evaluation.tables import markdown_table
from tests.small_results import figure


def changed(summary, *, test_iter="last", stages=2, distractors=0, accuracy=0.9, **settings):
    other = copy.deepcopy(summary) | {"test_iter": test_iter}
    other |= {"num_distractor_classes": distractors, "last_step": figure(accuracy)}
    other["per_stage"] = [figure(accuracy)] * stages
    other["settings"]["self_training"] |= settings
    return other


def test_rows_go_from_nothing_learned_to_all_of_lst(summary):
    summaries = [
        changed(summary, distractors=3, accuracy=0.7),
        changed(summary, weighting="none"),
        changed(summary),
        changed(summary, weighting="none", test_iter="0"),
        changed(summary, weighting="none", selection="none", stages=1),
    ]
    header, *rows = ablation.ablation_rows(summaries)
    assert header == [*ablation.HEADER, "3 distractor classes", "gain", "no distractors", "gain"]
    assert [row[:4] for row in rows] == [
        ["not meta-learned", "hard", "none", "2"],
        ["meta", "none", "none", "1"],
        ["meta", "hard", "none", "2"],
        ["meta", "hard", "soft", "2"],
    ]
    assert rows[-1][4:] == ["70.0 ± 1.0", "+9.9 ± 1.0", "90.0 ± 1.0", "+9.9 ± 1.0"]
    assert rows[0][4] == ""


def test_start_from_a_learner_is_not_taken_for_pretrained_weights(summary):
    tuned = changed(summary, test_iter="0")
    tuned["settings"]["finetune_path"] = "mtl/step_15000.npz"
    assert ablation.setting_of(tuned)[0] == "meta"


def test_two_results_of_one_cell_are_refused(summary):
    others = [changed(summary), changed(summary, accuracy=0.8)]
    with pytest.raises(InputError, match="one result with meta, hard, soft, 2, no distractors"):
        ablation.ablation_rows(others)


def test_table_is_aligned_markdown(summary):
    lines = markdown_table(ablation.ablation_rows([changed(summary)])).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("|---")
