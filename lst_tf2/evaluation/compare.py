"""All methods on the same episodes of unseen classes, in every kind of pile.

The features are those of a calibrated meta-test: each image is embedded once, and every
method starts from the same embeddings.
"""

import dataclasses
import time
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.config import (
    SUPPORT,
    CompareConfig,
    EpisodeConfig,
    MetaTestConfig,
    SelfTrainingConfig,
)
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import arrange_mixed, episode_rows
from lst_tf2.data.lists import open_lists
from lst_tf2.evaluation.calibrated import (
    BatchRun,
    FeatureTable,
    batched,
    batches_of,
    build_table,
    estimate_statistics,
    rows_of,
)
from lst_tf2.evaluation.episode import MethodResult, MethodRun, plan_test_windows
from lst_tf2.evaluation.meta_test import restore_learner
from lst_tf2.evaluation.rejection import (
    KEPT_SHARE,
    KEPT_SHARES,
    calibration_error,
    rejected_strangers,
    reliability,
)
from lst_tf2.evaluation.statistics import estimate
from lst_tf2.models.learner import Learner
from lst_tf2.progress import Progress
from lst_tf2.structures import Episode


class Measured(NamedTuple):
    """Holds what a method found in the episodes of a kind."""

    accuracies: np.ndarray  # [E], at the last step
    pseudo_labels: np.ndarray  # [E], share of right ones; NaN where none was selected
    sureness: np.ndarray  # [E, U]
    outcomes: np.ndarray  # [E, U]
    seconds: float  # an episode, of a graph that was traced before


def compare(config: CompareConfig) -> dict[str, Any]:
    """Runs all methods in all cells.

    Returns:
        What `results/compare_<dataset>.json` holds: `rows`, one for each method and cell, and
        `settings`.

    Raises:
        InputError: If the data, the run or a method can not be had.
    """
    learner, step = restore_learner(_test_of(config))
    runs = {name: _Runs(learner, config.stages_of(name)) for name in _names(config)}
    episodes = {cell: _episodes_of(config, cell) for cell in config.cells}
    table = _table_of(config, learner, episodes)
    total = len(runs) * len(config.cells) * config.num_episodes
    rows = []
    with Progress("comparing", total, print_every=max(1, total // 50)) as progress:
        for cell in config.cells:
            found = {}
            for name, run in runs.items():
                found[name] = measure(run.of(cell), table, episodes[cell])
                accuracy = float(found[name].accuracies.mean())
                progress.advance(config.num_episodes, **{f"{_title(cell)} {name}": accuracy})
            rows += rows_of_cell(cell, found)
    wanted = [row for row in rows if row["method"] in config.compared]
    settings = dataclasses.asdict(config) | {"test_step": step}
    return {"rows": wanted, "settings": settings}


class _Runs:
    """Builds the graph of a method for each kind of episode; kinds of equal shapes share it."""

    def __init__(self, learner: Learner, stages: SelfTrainingConfig):
        self.run, self.stages = MethodRun(learner, stages), stages
        self.graphs: dict[tuple, BatchRun] = {}

    def of(self, cell: EpisodeConfig) -> BatchRun:
        windows = plan_test_windows(cell, self.stages, "standard")
        return self.graphs.setdefault(tuple(windows), batched(self.run, windows))


def _names(config: CompareConfig) -> list[str]:
    """Returns the methods, the support set alone first: all gains are over it."""
    return list(dict.fromkeys([SUPPORT, *config.compared]))


def _test_of(config: CompareConfig) -> MetaTestConfig:
    return MetaTestConfig(
        run_folder=config.run_folder,
        pretrained_path="",
        model=config.model,
        test_iter=config.test_iter,
        test_list=config.list_of(config.cells[0]),
        self_training=config.stages_of(SUPPORT),
        protocol="standard",
    )


def _episodes_of(config: CompareConfig, cell: EpisodeConfig) -> list[Episode]:
    lists = open_lists(config.list_of(cell))
    return [episode_rows(lists, index, arrange_mixed) for index in range(len(lists))]


def _table_of(
    config: CompareConfig, learner: Learner, episodes: dict[EpisodeConfig, list[Episode]]
) -> FeatureTable:
    catalogue = open_lists(config.list_of(config.cells[0])).catalogue
    source = open_images(catalogue, config.model.image_size, config.cache)
    stats = []
    if config.model.norm == "batch_norm":
        stats = estimate_statistics(learner, config.data_folder, config.model, config.seed)
    rows = rows_of([episode for group in episodes.values() for episode in group])
    return build_table(learner, rows, source, stats, config.model)


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
        sureness=joined.sureness,
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
    """Returns how well strangers are told, and how right the sure are."""
    pile = one.sureness, one.outcomes
    bins = reliability(*pile)
    return {
        "rejected_strangers": {
            **estimate(rejected_strangers(*pile, KEPT_SHARE)),
            "kept_share": KEPT_SHARE,
        },
        "rejection_curve": [
            {"kept_share": share, "mean": estimate(rejected_strangers(*pile, share))["mean"]}
            for share in KEPT_SHARES
        ],
        "calibration_error": calibration_error(bins),
        "reliability": bins,
    }


def _title(cell: EpisodeConfig) -> str:
    return f"{cell.shot}-shot/{cell.num_distractor_classes}/{cell.unlabeled_balance}"
