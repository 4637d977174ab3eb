"""Episodes of all kinds of piles, with features that every method starts from."""

import pathlib
from collections.abc import Mapping
from typing import Any

from lst_tf2.config import (
    SUPPORT,
    EpisodeConfig,
    MetaTestConfig,
    PilesConfig,
    SelfTrainingConfig,
)
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import arrange_mixed, episode_rows
from lst_tf2.data.lists import open_lists
from lst_tf2.evaluation.calibrated import (
    BatchRun,
    FeatureTable,
    batched,
    build_table,
    estimate_statistics,
    rows_of,
)
from lst_tf2.evaluation.episode import MethodRun, plan_test_windows
from lst_tf2.evaluation.meta_test import restore_learner
from lst_tf2.models.learner import Learner
from lst_tf2.runs.tuned import with_tuned
from lst_tf2.structures import Episode


class KindRuns:
    """Builds the graph of a method for each kind of episode; kinds of equal shapes share it."""

    def __init__(self, learner: Learner, stages: SelfTrainingConfig):
        """Loads the method; raises `InputError` where it can not be had."""
        self.run, self.stages = MethodRun(learner, stages), stages
        self.graphs: dict[tuple, BatchRun] = {}

    def of(self, cell: EpisodeConfig) -> BatchRun:
        """Returns what runs the method on batches of episodes of a kind."""
        windows = plan_test_windows(cell, self.stages, "standard")
        return self.graphs.setdefault(tuple(windows), batched(self.run, windows))


def restore_run(config: PilesConfig) -> tuple[Learner, int]:
    """Returns the learner of the run, and the step of its checkpoint."""
    test = MetaTestConfig(
        run_folder=config.run_folder,
        pretrained_path="",
        model=config.model,
        test_iter=config.test_iter,
        test_list=config.list_of(config.cells[0]),
        self_training=config.stages_of(SUPPORT),
        protocol="standard",
    )
    return restore_learner(test)


def stages_of_run(
    config: PilesConfig, stages: SelfTrainingConfig
) -> tuple[SelfTrainingConfig, dict[str, Any]]:
    """Returns the stages with what was tuned for the run, if it is asked for; and what that is."""
    if not config.use_tuned:
        return stages, {}
    return with_tuned(stages, pathlib.Path(config.run_folder))


def episodes_of(config: PilesConfig, cell: EpisodeConfig) -> list[Episode]:
    """Returns the episodes of a kind, of rows of the catalogue."""
    lists = open_lists(config.list_of(cell))
    return [episode_rows(lists, index, arrange_mixed) for index in range(len(lists))]


def embed_episodes(
    config: PilesConfig, learner: Learner, episodes: Mapping[EpisodeConfig, list[Episode]]
) -> FeatureTable:
    """Returns the features of all images of the episodes, each embedded once."""
    catalogue = open_lists(config.list_of(config.cells[0])).catalogue
    source = open_images(catalogue, config.model.image_size, config.cache)
    stats = []
    if config.model.norm == "batch_norm":
        stats = estimate_statistics(learner, config.data_folder, config.model, config.seed)
    rows = rows_of([episode for group in episodes.values() for episode in group])
    return build_table(learner, rows, source, stats, config.model)


def title_of(cell: EpisodeConfig) -> str:
    """Returns what is told of a kind beside progress."""
    return f"{cell.shot}-shot/{cell.num_distractor_classes}/{cell.unlabeled_balance}"
