"""All methods on the same episodes of unseen classes, in every kind of pile.

The features are those of a calibrated meta-test: each image is embedded once, and every
method starts from the same embeddings.
"""

import dataclasses
import time
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.config import SUPPORT, CompareConfig, EpisodeConfig
from lst_tf2.evaluation.calibrated import BatchRun, FeatureTable, batches_of
from lst_tf2.evaluation.episode import MethodResult
from lst_tf2.evaluation.piles import (
    KindRuns,
    Subject,
    embed_episodes,
    episodes_of,
    stages_of_run,
    subject_of_run,
    title_of_kind,
)
from lst_tf2.evaluation.rejection import (
    KEPT_SHARE,
    KEPT_SHARES,
    calibration_error,
    rejected_distractors,
    reliability,
)
from lst_tf2.evaluation.statistics import estimate
from lst_tf2.progress import Progress
from lst_tf2.structures import Episode


class Measured(NamedTuple):
    """Holds what a method found in the episodes of a kind."""

    accuracies: np.ndarray  # [E], at the last step
    pseudo_labels: np.ndarray  # [E], share of right ones; NaN where none was selected
    confidence: np.ndarray  # [E, U]
    outcomes: np.ndarray  # [E, U]
    seconds: float  # an episode, of a graph that was traced before


def compare(config: CompareConfig, subject: Subject | None = None) -> dict[str, Any]:
    """Runs all methods in all cells.

    Args:
        config: Methods, episodes, and of which run.
        subject: A network in place of a run's.

    Returns:
        What `results/compare_<dataset>.json` holds: `rows`, one for each method and cell,
        `settings`, and by method the settings that were `tuned` for the run.

    Raises:
        InputError: If the data, the run or a method cannot be had.
    """
    subject = subject or subject_of_run(config)
    stages = {name: stages_of_run(config, config.stages_of(name)) for name in _names(config)}
    runs = {name: KindRuns(subject.learner, found) for name, (found, _) in stages.items()}
    episodes = {cell: episodes_of(config, cell) for cell in config.cells}
    table = embed_episodes(config, subject, episodes)
    total = len(runs) * len(config.cells) * config.num_episodes
    rows = []
    with Progress("comparing", total, print_every=max(1, total // 50)) as progress:
        for cell in config.cells:
            found = {}
            for name, run in runs.items():
                found[name] = measure(run.of(cell), table, episodes[cell])
                accuracy = float(found[name].accuracies.mean())
                progress.advance(config.num_episodes, **{f"{title_of_kind(cell)} {name}": accuracy})
            rows += rows_of_cell(cell, found)
    wanted = [row for row in rows if row["method"] in config.compared]
    settings = dataclasses.asdict(config) | {"test_step": subject.step}
    tuned = {name: taken for name, (_, taken) in stages.items() if taken}
    return {"rows": wanted, "settings": settings, "tuned": tuned}


def _names(config: CompareConfig) -> list[str]:
    """Returns the methods, the support set alone first: all gains are over it."""
    return list(dict.fromkeys([SUPPORT, *config.compared]))


def measure(run: BatchRun, table: FeatureTable, episodes: list[Episode]) -> Measured:
    """Returns what a method finds in `episodes`, and how long an episode takes."""
    results, seconds = [], 0.0
    for number, (batch, count) in enumerate(batches_of(table, episodes)):
        if number == 0:
            run(batch)  # Traces it, where it was not yet.
        start = time.perf_counter()
        found = MethodResult(*(value.numpy()[:count] for value in run(batch)))
        seconds += time.perf_counter() - start
        results.append(found)
    joined = MethodResult(*(np.concatenate(parts) for parts in zip(*results, strict=True)))
    return Measured(
        accuracies=joined.final[:, -1],
        pseudo_labels=joined.pseudo_labels[:, -1],
        confidence=joined.confidence,
        outcomes=joined.outcomes,
        seconds=seconds / len(episodes),
    )


def rows_of_cell(cell: EpisodeConfig, found: dict[str, Measured]) -> list[dict[str, Any]]:
    """Returns a row for each method, accuracies and shares in 0..1.

    `gain` is the paired difference to the support set alone, `behind` that of the first in the
    cell to the method.
    """
    baseline = found[SUPPORT].accuracies
    first = max(found.values(), key=lambda measured: measured.accuracies.mean()).accuracies
    return [
        {
            "method": name,
            "distractor_classes": cell.num_distractor_classes,
            "balance": cell.unlabeled_balance,
            "shot": cell.shot,
            "episodes": len(baseline),
            "accuracy": estimate(one.accuracies),
            "gain": estimate(one.accuracies - baseline),
            "behind": estimate(first - one.accuracies),
            "seconds_per_episode": one.seconds,
            "right_pseudo_labels": estimate(one.pseudo_labels),
            **rejection_of(one),
        }
        for name, one in found.items()
    ]


def rejection_of(one: Measured) -> dict[str, Any]:
    """Returns how well distractors are told, and how right the sure are."""
    pile = one.confidence, one.outcomes
    bins = reliability(*pile)
    return {
        "rejected_distractors": {
            **estimate(rejected_distractors(*pile, KEPT_SHARE)),
            "kept_share": KEPT_SHARE,
        },
        "rejection_curve": [
            {"kept_share": share, "mean": estimate(rejected_distractors(*pile, share))["mean"]}
            for share in KEPT_SHARES
        ],
        "calibration_error": calibration_error(bins),
        "reliability": bins,
    }
