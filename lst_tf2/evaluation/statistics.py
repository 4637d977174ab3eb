"""Means with 95 % intervals over episodes, and what a meta-test reports."""

import dataclasses
from typing import Any

import numpy as np

from lst_tf2.config import MetaTestConfig
from lst_tf2.evaluation.rejection import (
    KEPT_SHARE,
    calibration_error,
    rejected_distractors,
    reliability,
)

# Two-sided 95 % of the normal distribution.
Z95 = 1.96
# The same numbers wherever, on however many devices and from whatever cache they were found.
FREE_SETTINGS = ("run_folder", "distribution", "cache")


def estimate(values: np.ndarray) -> dict[str, float | None]:
    """Returns mean and half-width of its 95 % interval over the first axis.

    Args:
        values: `[E]`, one value for each episode; NaN where an episode has none.

    Returns:
        `mean` and `ci95`, 1.96 times the population's standard deviation over the root
        of the number of episodes, as in arXiv:1906.00562; None without any value, and no
        interval of one.
    """
    present = np.asarray(values, np.float64)
    present = present[~np.isnan(present)]
    if present.size == 0:
        return {"mean": None, "ci95": None}
    half_width = Z95 * present.std() / np.sqrt(present.size)
    ci95 = float(half_width) if present.size > 1 else None
    return {"mean": float(present.mean()), "ci95": ci95}


def summarize(
    config: MetaTestConfig, test_step: int, curves: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Returns the results of a meta-test, accuracies in 0..1.

    Args:
        config: Its settings.
        test_step: The step of the checkpoint tested.
        curves: `baseline` `[E, steps]`, `final` `[E, steps]`, `stages`
            `[E, stages, steps]`, `pseudo_labels` `[E, stages]`, `confidence` and `outcomes`
            `[E, U]`, one row an episode.
    """
    lists, episode = config.test_list, config.test_list.episode
    baseline, final = curves["baseline"], curves["final"]
    pile = curves["confidence"], curves["outcomes"]
    best = int(final.mean(axis=0).argmax())
    first_stage, steps_per_stage = curves["stages"][:, 0, -1], curves["stages"].shape[-1]
    # A method without such steps is compared with all that the support set teaches.
    matching = steps_per_stage == config.self_training.steps_per_stage
    support_only = baseline[:, steps_per_stage - 1 if matching else -1]
    return {
        "way": episode.way,
        "shot": episode.shot,
        "queries_per_class": episode.queries_per_class,
        "episodes": len(final),
        "protocol": config.protocol,
        "num_distractor_classes": episode.num_distractor_classes,
        "seed": lists.seed,
        "test_iter": config.test_iter,
        "test_step": test_step,
        "baseline": estimate(baseline[:, -1]),
        "last_step": estimate(final[:, -1]),
        "best_step": {**estimate(final[:, best]), "step": best + 1},
        "per_stage": [estimate(stage) for stage in curves["stages"][:, :, -1].T],
        "gain": estimate(final[:, -1] - baseline[:, -1]),
        # Against the support set alone after as many steps.
        "first_stage_gain": estimate(first_stage - support_only),
        "pseudo_label_accuracy": [estimate(stage) for stage in curves["pseudo_labels"].T],
        "rejected_distractors": {
            **estimate(rejected_distractors(*pile, KEPT_SHARE)),
            "kept_share": KEPT_SHARE,
        },
        "calibration_error": calibration_error(reliability(*pile)),
        "per_step": [estimate(step) for step in final.T],
        "settings": telling_settings(config),
    }


def telling_settings(config: MetaTestConfig) -> dict[str, Any]:
    """Returns the settings of a meta-test that can make a difference."""
    settings = dataclasses.asdict(config)
    return {name: value for name, value in settings.items() if name not in FREE_SETTINGS}
