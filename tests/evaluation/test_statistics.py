import numpy as np
import pytest

from lst_tf2.config import EpisodeConfig, ListConfig, MetaTestConfig
from lst_tf2.evaluation.statistics import estimate, summarize


def test_one_episode_has_no_interval():
    assert estimate(np.array([0.25, np.nan])) == {"mean": 0.25, "ci95": None}


def test_estimate_is_that_of_the_paper():
    figure = estimate(np.array([0.2, 0.4, 0.6, 0.8]))
    assert figure["mean"] == pytest.approx(0.5)
    # Population standard deviation sqrt(0.05), over the root of 4 episodes.
    assert figure["ci95"] == pytest.approx(1.96 * np.sqrt(0.05) / 2)


def test_estimate_passes_over_episodes_without_a_value():
    assert estimate(np.array([0.5, np.nan, 0.7]))["mean"] == pytest.approx(0.6)
    assert estimate(np.array([np.nan])) == {"mean": None, "ci95": None}


def test_summary_reports_last_and_best_step_and_the_paired_gain():
    episode = EpisodeConfig(unlabeled_per_class=30, num_distractor_classes=2)
    config = MetaTestConfig(
        "checkpoints/x", "p", "best", ListConfig("data/x", "test", episode, 2, 5)
    )
    curves = {
        "baseline": np.array([[0.2, 0.4], [0.4, 0.6]]),
        "final": np.array([[0.9, 0.6], [0.9, 0.8]]),
        "stages": np.array([[[0.1, 0.5], [0.1, 0.3]], [[0.1, 0.7], [0.1, 0.5]]]),
        "pseudo_labels": np.array([[0.5, 0.75], [np.nan, 0.25]]),
        # Two right ones at 0.9 and 0.7, a distractor below and one between; then none.
        "confidence": np.array([[0.9, 0.7, 0.2, 0.8], [0.9, 0.9, 0.9, 0.9]]),
        "outcomes": np.array([[1, 1, -1, -1], [1, 1, 1, 0]]),
    }
    summary = summarize(config, 300, curves)
    expected = {
        "way": 5,
        "shot": 1,
        "queries_per_class": 15,
        "episodes": 2,
        "protocol": "paper",
        "num_distractor_classes": 2,
        "seed": 5,
        "test_iter": "best",
        "test_step": 300,
    }
    assert {key: summary[key] for key in expected} == expected
    assert summary["baseline"]["mean"] == pytest.approx(0.5)
    assert summary["last_step"]["mean"] == pytest.approx(0.7)
    assert summary["best_step"] == {"mean": pytest.approx(0.9), "ci95": 0.0, "step": 1}
    assert [stage["mean"] for stage in summary["per_stage"]] == pytest.approx([0.6, 0.4])
    # Both episodes gain 0.2: paired, the interval vanishes though the accuracies vary.
    assert summary["gain"] == {"mean": pytest.approx(0.2), "ci95": pytest.approx(0, abs=1e-9)}
    assert summary["first_stage_gain"]["mean"] == pytest.approx(0.1)
    assert [s["mean"] for s in summary["pseudo_label_accuracy"]] == pytest.approx([0.5, 0.5])
