"""Meta-test on features that do not depend on the batch: every image is embedded once.

The statistics of batch norm are estimated once over base-class images, and the episodes run
from a table of features, many of them at a time.
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lst_tf2.config import MetaTestConfig, ModelConfig
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import PROTOCOL_ARRANGEMENTS, episode_rows
from lst_tf2.data.images import ImageFiles, ImageSource
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.data.pipeline import stream_image_batches, stream_images
from lst_tf2.distribution.strategy import Distribution
from lst_tf2.errors import InputError
from lst_tf2.evaluation.episode import (
    EpisodeResult,
    EpisodeRun,
    MethodRun,
    Window,
    embed_episode,
)
from lst_tf2.models.calibration import calibrate
from lst_tf2.models.layers import ChannelStats
from lst_tf2.models.learner import Learner
from lst_tf2.models.normalizers import FixedNormalizer
from lst_tf2.progress import Progress
from lst_tf2.structures import Episode, Features, map_inputs

CALIBRATION_BATCHES = 16
CALIBRATION_BATCH_SIZE = 128
EMBEDDED_AT_ONCE = 64
EPISODES_AT_ONCE = 10
# From the features of an episode, or from the maps of a batch of them, to results.
FeaturesRun = MethodRun | EpisodeRun
BatchRun = Callable[[Episode], NamedTuple]
# From images [B, H, W, 3] uint8 to maps of their own.
Embedder = Callable[[tf.Tensor], tf.Tensor]


class FeatureTable:
    """Holds the features of images by their sorted rows; maps lie in a temporary file.

    Raises:
        InputError: If there is no room for it.
    """

    def __init__(self, rows: np.ndarray, map_shape: tuple[int, int, int]):
        self.rows = rows
        shape = (len(rows), *map_shape)
        num_bytes = 4 * math.prod(shape)
        try:
            with tempfile.TemporaryFile() as file:  # The mapping keeps it until it goes itself.
                if hasattr(os, "posix_fallocate"):  # A hole without room would be a bus error.
                    os.posix_fallocate(file.fileno(), 0, num_bytes)
                self.maps = np.memmap(file, np.float32, "w+", shape=shape)
        except OSError as error:
            raise InputError(
                f"Expected {num_bytes / 1e9:.3g} GB of free disk in {tempfile.gettempdir()} for "
                f"the features of {len(rows)} images, received: {error.strerror}; make room, name "
                "another folder in the environment variable TMPDIR, or test fewer episodes."
            ) from None

    def write(self, start: int, maps: np.ndarray) -> None:
        """Sets the maps of the rows from place `start` on."""
        self.maps[start : start + len(maps)] = maps

    def maps_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns maps `[len(rows), H, W, D]` float32."""
        return self.maps[np.searchsorted(self.rows, rows)]


def estimate_statistics(
    learner: Learner, data_folder: str, model: ModelConfig, seed: int
) -> list[ChannelStats]:
    """Returns the statistics of base-class images for each convolution.

    Args:
        learner: Whose backbone normalizes by batches.
        data_folder: The data set; its training split is read.
        model: Gives the size of the images.
        seed: What the choice of 16 batches of 128 images depends on.

    Raises:
        InputError: If an image is missing, broken, or of another size or mode.
    """
    catalogue = scan_split(data_folder, "train")
    batches = stream_image_batches(
        catalogue,
        range(CALIBRATION_BATCHES),
        CALIBRATION_BATCH_SIZE,
        # Few of many, and once: not worth keeping.
        ImageFiles(catalogue, model.image_size),
        seed,
    )
    with Progress("calibrating", CALIBRATION_BATCHES, print_every=CALIBRATION_BATCHES) as progress:

        def images() -> Iterator[tf.Tensor]:
            for batch in batches:
                yield batch.inputs
                progress.advance()

        return calibrate(learner.backbone, images())


def embedder(learner: Learner, stats: list[ChannelStats]) -> Embedder:
    """Returns what embeds by the backbone of `learner`; without `stats`, batch by batch."""
    normalizer = FixedNormalizer(learner.backbone.convs, stats) if stats else None
    return lambda images: learner.embed(images, normalizer).maps


def with_mirror_image(embed: Embedder) -> Embedder:
    """Returns what embeds each image as the mean of it and its mirror image."""
    return lambda images: (embed(images) + embed(images[:, :, ::-1])[:, :, ::-1]) / 2


def build_table(
    embed: Embedder, map_shape: tuple[int, int, int], rows: np.ndarray, source: ImageSource
) -> FeatureTable:
    """Embeds every image in the sorted `rows` once.

    Args:
        embed: From images `[B, H, W, 3]` uint8 to maps.
        map_shape: Of the map of one image, `(H, W, D)`.
        rows: `[n]` int, places in the catalogue, distinct and ascending.
        source: The images.

    Raises:
        InputError: If an image cannot be read, or there is no room for the table.
    """
    table = FeatureTable(rows, map_shape)
    embed = tf.function(embed, reduce_retracing=True)
    with Progress("embedding", len(rows), print_every=max(1, len(rows) // 10)) as progress:
        start = 0
        for images in stream_images(rows, EMBEDDED_AT_ONCE, source):
            maps = embed(images).numpy()
            table.write(start, maps)
            start += len(maps)
            progress.advance(len(maps))
    return table


def features_of(maps: tf.Tensor) -> Features:
    """Returns the features whose maps lie in a table; the embeddings are their means."""
    return Features(maps, tf.reduce_mean(maps, axis=[1, 2]))


def run_calibrated(
    config: MetaTestConfig,
    learner: Learner,
    lists: EpisodeLists,
    windows: list[Window],
    distribution: Distribution,
    stats: list[ChannelStats],
) -> Iterator[EpisodeResult]:
    """Embeds the images of this worker's episodes, then returns their results in order."""
    run_features = EpisodeRun(learner, config.self_training)
    arrange = PROTOCOL_ARRANGEMENTS[config.protocol]
    share = distribution.share_of_list(len(lists))
    episodes = [episode_rows(lists, index, arrange) for index in share]
    source = distribution.chief_first(
        lambda: open_images(lists.catalogue, config.model.image_size, config.cache)
    )
    table = build_table(embedder(learner, stats), config.model.map_shape, rows_in(episodes), source)
    return run_from_table(batched(run_features, windows), table, episodes)


def rows_in(episodes: Sequence[Episode]) -> np.ndarray:
    """Returns the sorted rows of the catalogue that some episodes hold."""
    rows = [examples.inputs for episode in episodes for examples in episode]
    return np.unique(np.concatenate(rows))


def batched(run_features: FeaturesRun, windows: list[Window]) -> BatchRun:
    """Returns the graph of `run_features` on many episodes at a time, traced once a shape."""

    def run_one(episode: Episode) -> NamedTuple:
        return run_features(embed_episode(features_of, episode, windows))

    def run_all(batch: Episode) -> NamedTuple:
        if tf.config.list_logical_devices("GPU"):  # Whose strength are large operations.
            return tf.vectorized_map(run_one, batch)
        # A CPU runs several episodes side by side, and is traced in a sixth of the time.
        return tf.map_fn(run_one, batch, fn_output_signature=run_features.dtypes)

    return tf.function(run_all, autograph=False)


def batches_of(table: FeatureTable, episodes: Sequence[Episode]) -> Iterator[tuple[Episode, int]]:
    """Yields episodes of rows as batches of maps, and how many of a batch count.

    A last batch that is not full is filled, as one of another size would be traced again.
    """
    count = min(EPISODES_AT_ONCE, len(episodes))
    for start in range(0, len(episodes), count):
        group = [map_inputs(table.maps_of, e) for e in episodes[start : start + count]]
        filled = group + group[-1:] * (count - len(group))
        yield tf.nest.map_structure(lambda *arrays: np.stack(arrays), *filled), len(group)


def run_from_table(
    run: BatchRun, table: FeatureTable, episodes: Sequence[Episode]
) -> Iterator[NamedTuple]:
    """Yields the results of episodes of rows in order."""
    for batch, count in batches_of(table, episodes):
        found = run(batch)
        values = [value.numpy() for value in found]
        for row in range(count):
            yield type(found)(*(value[row] for value in values))
