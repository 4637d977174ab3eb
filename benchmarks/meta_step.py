"""A meta-train step and a meta-test episode, each beside the limit: its convolutions alone."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.convolutions import limit
from benchmarks.timing import paired
from lst_tf2.config import (
    AdaptationConfig,
    EpisodeConfig,
    ModelConfig,
    OptimizerConfig,
    SelfTrainingConfig,
)
from lst_tf2.evaluation.episode import EpisodeRun, embed_episode, plan_test_windows
from lst_tf2.models.learner import Learner
from lst_tf2.structures import Episode, Examples
from lst_tf2.training.meta_step import MetaTrainer

META_BATCH = 2


def random_episode(model: ModelConfig, config: EpisodeConfig) -> Episode:
    """Returns noise in the shapes of an episode."""
    rng, side = np.random.default_rng(0), model.image_size

    def images(per_class: int) -> np.ndarray:
        return rng.integers(0, 256, (config.way * per_class, side, side, 3), np.uint8)

    def labels(per_class: int) -> np.ndarray:
        return np.repeat(np.arange(config.way, dtype=np.int32), per_class)

    counts = (config.shot, config.queries_per_class, config.unlabeled_per_class)
    sets = [Examples(images(count), labels(count)) for count in (*counts, 0)]
    return tf.nest.map_structure(tf.constant, Episode(*sets))


def train_step(model: ModelConfig) -> Callable[[], object]:
    """Returns a call: a step of two episodes, 15 queries and 10 unlabeled images per class."""
    rates = OptimizerConfig(), OptimizerConfig()
    trainer = MetaTrainer(Learner(model, way=5), AdaptationConfig(), *rates)
    episode = random_episode(model, EpisodeConfig())
    meta_batch = tf.nest.map_structure(lambda field: tf.stack([field] * META_BATCH), episode)
    return lambda: [value.numpy() for value in trainer.train_step(meta_batch).values()]


def train_limit(model: ModelConfig) -> Callable[[], object]:
    """Returns a call: the convolutions of that step."""
    return limit(model, forward=[5, 50] * META_BATCH, backward=[75] * META_BATCH)


def test_episode(model: ModelConfig) -> Callable[[], object]:
    """Returns a call: six stages of 30 of 100 unlabeled images, 20 kept, 40 of 100 steps."""
    learner, config = Learner(model, way=5), SelfTrainingConfig(num_stages=6)
    settings = EpisodeConfig(queries_per_class=1, unlabeled_per_class=100)
    windows = plan_test_windows(settings, config, "paper")
    episode = random_episode(model, settings)
    run_features = EpisodeRun(learner, config)
    embed = tf.function(learner.embed, autograph=False)
    run = tf.function(lambda: run_features(embed_episode(embed, episode, windows)))
    return lambda: [value.numpy() for value in run()]


def test_limit(model: ModelConfig) -> Callable[[], object]:
    """Returns a call: the convolutions of that episode."""
    return limit(model, forward=[150] * 5 + [5, 5], backward=[])


def time_with_limit(name: str, model: ModelConfig, rounds: int) -> dict[str, float]:
    """Returns seconds of a `train` step or `test` episode, of its limit, and their ratio."""
    makers = {"train": (train_step, train_limit), "test": (test_episode, test_limit)}[name]
    seconds = paired({"run": makers[0](model), "limit": makers[1](model)}, rounds)
    return seconds | {"ratio": seconds["run"] / seconds["limit"]}
