"""Episodes of all kinds of piles, with features that every method starts from."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

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
    Embedder,
    FeatureTable,
    batched,
    build_table,
    embedder,
    estimate_statistics,
    rows_in,
    with_mirror_image,
)
from lst_tf2.evaluation.episode import MethodRun, plan_test_windows
from lst_tf2.evaluation.meta_test import restore_learner
from lst_tf2.models.learner import Learner
from lst_tf2.runs.tuned import with_tuned
from lst_tf2.structures import Episode


class KindRuns:
    """Builds the graph of a method for each kind of episode; kinds of equal shapes share it."""

    def __init__(self, learner: Learner, stages: SelfTrainingConfig):
        """Loads the method; raises `InputError` where it cannot be had."""
        self.run, self.stages = MethodRun(learner, stages), stages
        self.graphs: dict[tuple, BatchRun] = {}

    def of(self, cell: EpisodeConfig) -> BatchRun:
        """Returns what runs the method on batches of episodes of a kind."""
        windows = plan_test_windows(cell, self.stages, "standard")
        return self.graphs.setdefault(tuple(windows), batched(self.run, windows))


class Subject(NamedTuple):
    """Holds what is compared: a network, and what methods start from."""

    learner: Any  # Has `classifier`, `soft_weighting` and `read_inner_rates`.
    embed: Embedder
    map_shape: tuple[int, int, int]
    step: int  # Of its checkpoint.


def subject_of_run(config: PilesConfig) -> Subject:
    """Returns the learner of a run, with statistics of images of base classes.

    Raises:
        InputError: If there is no such run, or no such images.
    """
    learner, step = restore_run(config)
    stats = []
    if config.model.norm == "batch_norm":
        stats = estimate_statistics(learner, config.data_folder, config.model, config.seed)
    return Subject(learner, embedder(learner, stats), config.model.map_shape, step)


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
    config: PilesConfig, subject: Subject, episodes: Mapping[EpisodeConfig, list[Episode]]
) -> FeatureTable:
    """Returns the features of all images of the episodes, each embedded once."""
    catalogue = open_lists(config.list_of(config.cells[0])).catalogue
    source = open_images(catalogue, config.model.image_size, config.cache)
    rows = rows_in([episode for group in episodes.values() for episode in group])
    embed = with_mirror_image(subject.embed) if config.is_mirrored else subject.embed
    return build_table(embed, subject.map_shape, rows, source)


def title_of_kind(cell: EpisodeConfig) -> str:
    """Returns what is told of a kind beside progress."""
    return f"{cell.shot}-shot/{cell.num_distractor_classes}/{cell.unlabeled_balance}"
