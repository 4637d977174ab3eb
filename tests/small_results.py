"""Figures of a test and of a comparison, without running either."""

import json

import numpy as np

from lst_tf2.config import EpisodeConfig, MetaTestConfig
from lst_tf2.evaluation.compare import Measured, rows_of_cell
from lst_tf2.evaluation.statistics import telling_settings

CELL = EpisodeConfig(shot=5, num_distractor_classes=3, unlabeled_balance="dirichlet:2")


def figure(mean, ci95=0.01):
    """Returns a mean and its interval."""
    return {"mean": mean, "ci95": ci95}


def small_summary():
    """Returns the figures of a test of two stages."""
    config = MetaTestConfig("", "step_9.npz", test_iter="last", protocol="standard")
    return {
        "way": 5,
        "shot": 1,
        "queries_per_class": 15,
        "episodes": 100,
        "protocol": "standard",
        "num_distractor_classes": 0,
        "seed": 0,
        "test_iter": "last",
        "test_step": 300,
        "baseline": figure(0.801),
        "last_step": figure(0.9, 0.0123),
        "best_step": {**figure(0.91), "step": 63},
        "per_stage": [figure(0.85), figure(0.9)],
        "gain": figure(0.099),
        "first_stage_gain": figure(-0.049),
        "pseudo_label_accuracy": [figure(None), figure(0.97)],
        "per_step": [figure(0.9)] * 3,
        "settings": json.loads(json.dumps(telling_settings(config))),
    }


def measured(accuracies, seconds=0.5):
    """Returns what a method did on as many episodes as there are accuracies."""
    count = len(accuracies)
    return Measured(
        accuracies=np.array(accuracies),
        pseudo_labels=np.full(count, 0.75),
        confidence=np.tile([0.9, 0.8, 0.1], (count, 1)),
        outcomes=np.tile([1, 1, -1], (count, 1)),
        seconds=seconds,
    )


def small_rows():
    """Returns the rows of a comparison of three methods on three episodes."""
    found = {
        "support": measured([0.5, 0.6, 0.7]),
        "lst": measured([0.6, 0.9, 0.8]),
        "mine": measured([0.9, 0.8, 0.7]),
    }
    return rows_of_cell(CELL, found)
