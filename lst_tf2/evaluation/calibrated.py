"""Meta-test on features that do not depend on the batch: every image is embedded once.

The statistics of batch norm are estimated once over base-class images, and the episodes run
from a table of features, many of them at a time.
"""

import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.self_training import SupportSet
from lst_tf2.config import MetaTestConfig, ModelConfig
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import PROTOCOL_ARRANGEMENTS, EpisodeRows, episode_rows
from lst_tf2.data.images import ImageFiles, ImageSource
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.data.pipeline import stream_image_batches, stream_images
from lst_tf2.distribution.strategy import Distribution
from lst_tf2.evaluation.episode import (
    EpisodeFeatures,
    EpisodeResult,
    Window,
    run_features,
    true_labels,
)
from lst_tf2.models.calibration import calibrate
from lst_tf2.models.layers import ChannelStats
from lst_tf2.models.learner import Learner, scale_pixels
from lst_tf2.progress import Progress
from lst_tf2.structures import Examples, Features

CALIBRATION_BATCHES = 16
CALIBRATION_BATCH_SIZE = 128
EMBEDDED_AT_ONCE = 64
EPISODES_AT_ONCE = 10


class FeatureTable:
    """Holds the features of images by their sorted rows; maps lie in a temporary file."""

    def __init__(self, rows: np.ndarray, map_shape: tuple[int, int, int]):
        self.rows = rows
        with tempfile.TemporaryFile() as file:  # The mapping keeps it until it goes itself.
            self.maps = np.memmap(file, np.float32, "w+", shape=(len(rows), *map_shape))

    def write(self, start: int, maps: np.ndarray) -> None:
        """Sets the maps of the rows from place `start` on."""
        self.maps[start : start + len(maps)] = maps

    def maps_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns maps `[len(rows), H, W, D]` float32."""
        return self.maps[np.searchsorted(self.rows, rows)]


class PackedEpisode(NamedTuple):
    """Holds an episode's maps and labels as arrays; the embeddings are their means."""

    support_maps: np.ndarray
    support_labels: np.ndarray
    query_maps: np.ndarray
    query_labels: np.ndarray
    unlabeled_maps: np.ndarray
    unlabeled_labels: np.ndarray
    distractor_maps: np.ndarray


def estimate_statistics(config: MetaTestConfig, learner: Learner) -> list[ChannelStats]:
    """Returns the statistics of base-class images for each convolution."""
    catalogue = scan_split(config.test_list.data_folder, "train")
    batches = stream_image_batches(
        catalogue,
        range(CALIBRATION_BATCHES),
        CALIBRATION_BATCH_SIZE,
        # Few of many, and once: not worth keeping.
        ImageFiles(catalogue, config.model.image_size),
        config.test_list.seed,
    )
    with Progress("calibrating", CALIBRATION_BATCHES, print_every=CALIBRATION_BATCHES) as progress:

        def images() -> Iterator[tf.Tensor]:
            for batch in batches:
                yield batch.images
                progress.advance()

        return calibrate(learner.backbone, images())


def build_table(
    learner: Learner,
    rows: np.ndarray,
    source: ImageSource,
    stats: list[ChannelStats],
    model: ModelConfig,
) -> FeatureTable:
    """Embeds every image in the sorted `rows` once."""
    table = FeatureTable(rows, (model.map_side, model.map_side, model.embedding_width))

    @tf.function(reduce_retracing=True)
    def embed(images: tf.Tensor) -> tf.Tensor:
        return learner.backbone.normalized(scale_pixels(images), stats)

    with Progress("embedding", len(rows), print_every=max(1, len(rows) // 10)) as progress:
        start = 0
        for images in stream_images(rows, EMBEDDED_AT_ONCE, source):
            maps = embed(images).numpy()
            table.write(start, maps)
            start += len(maps)
            progress.advance(len(maps))
    return table


def pack(rows: EpisodeRows, table: FeatureTable) -> PackedEpisode:
    """Returns the maps of an episode."""
    return PackedEpisode(
        *(
            table.maps_of(field) if name.endswith("_rows") else field
            for name, field in rows._asdict().items()
        )
    )


def unpack(packed: PackedEpisode, windows: list[Window]) -> EpisodeFeatures:
    """Returns the features of an episode from its maps."""

    def features(maps: tf.Tensor) -> Features:
        return Features(maps, tf.reduce_mean(maps, axis=[1, 2]))

    window_maps = [
        tf.concat(
            [
                packed.unlabeled_maps[slice(*window.unlabeled)],
                packed.distractor_maps[slice(*window.distractors)],
            ],
            axis=0,
        )
        for window in windows
    ]
    return EpisodeFeatures(
        support=SupportSet(features(packed.support_maps), packed.support_labels),
        query=Examples(features(packed.query_maps).embeddings, packed.query_labels),
        windows=[features(maps) for maps in window_maps],
        window_labels=[true_labels(packed.unlabeled_labels, window) for window in windows],
    )


def run_calibrated(
    config: MetaTestConfig,
    learner: Learner,
    lists: EpisodeLists,
    windows: list[Window],
    distribution: Distribution,
) -> Iterator[EpisodeResult]:
    """Embeds the images of this worker's episodes, then returns their results in order."""
    arrange = PROTOCOL_ARRANGEMENTS[config.protocol]
    share = distribution.share_of_list(len(lists))
    episodes = [episode_rows(lists, index, arrange) for index in share]
    fields = [field for rows in episodes for name, field in rows._asdict().items()
              if name.endswith("_rows")]  # fmt: skip
    stats = estimate_statistics(config, learner)
    source = distribution.chief_first(
        lambda: open_images(lists.catalogue, config.model.image_size, config.cache)
    )
    table = build_table(learner, np.unique(np.concatenate(fields)), source, stats, config.model)

    def run_one(packed: PackedEpisode) -> EpisodeResult:
        return run_features(learner, unpack(packed, windows), config.self_training)

    run = tf.function(lambda packed: tf.vectorized_map(run_one, packed), autograph=False)

    def results() -> Iterator[EpisodeResult]:
        count = min(EPISODES_AT_ONCE, len(episodes))
        for start in range(0, len(episodes), count):
            packed = [pack(rows, table) for rows in episodes[start : start + count]]
            # A last group that is not full is filled, as one of another size is traced anew.
            filled = packed + packed[-1:] * (count - len(packed))
            batch = PackedEpisode(*(np.stack(field) for field in zip(*filled, strict=True)))
            values = [value.numpy() for value in run(batch)]
            for row in range(len(packed)):
                yield EpisodeResult(*(value[row] for value in values))

    return results()
