"""Times a meta-train step and a meta-test episode, each in ratio to its bare convolutions.

The backbone's convolutions alone, on the same batches, are the yardstick: both are run in turn in
one process, so that the ratio holds when the machine's pace drifts.

    python -m benchmarks.meta_step            # glyph size
    python -m benchmarks.meta_step --paper    # 84x84, 64-128-256-512
"""

import json
import os
import pathlib
import platform
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from lst_tf2.config import (
    AdaptationConfig,
    EpisodeConfig,
    ModelConfig,
    OptimizerConfig,
    SelfTrainingConfig,
)
from lst_tf2.evaluation.episode import plan_test_windows, run_episode
from lst_tf2.models.learner import Learner
from lst_tf2.structures import Episode
from lst_tf2.training.meta_step import MetaTrainer

ROUNDS = 5
GLYPHS = ModelConfig(filters=(16, 32, 64, 128), image_size=32)


def random_episode(model: ModelConfig, config: EpisodeConfig) -> Episode:
    """Returns noise in the shapes of an episode."""
    rng, side = np.random.default_rng(0), model.image_size

    def images(per_class: int) -> np.ndarray:
        return rng.integers(0, 256, (config.way * per_class, side, side, 3), np.uint8)

    def labels(per_class: int) -> np.ndarray:
        return np.repeat(np.arange(config.way, dtype=np.int32), per_class)

    counts = (config.shot, config.queries_per_class, config.unlabeled_per_class)
    fields = [make(count) for count in counts for make in (images, labels)]
    return Episode(*map(tf.constant, fields), tf.zeros([0, side, side, 3], tf.uint8))


def convolve(learner: Learner, images: tf.Tensor) -> tf.Tensor:
    """Runs the backbone's convolutions and pooling alone."""
    outputs = tf.cast(images, tf.float32)
    for block in learner.backbone.blocks:
        hidden = outputs
        for conv in block.convs:
            hidden = tf.nn.conv2d(hidden, tf.convert_to_tensor(conv.kernel), 1, "SAME")
        hidden += tf.nn.conv2d(outputs, tf.convert_to_tensor(block.shortcut), 1, "SAME")
        outputs = tf.nn.max_pool2d(hidden, 2, 2, "VALID")
    return outputs


def paired_medians(run: Callable, yardstick: Callable) -> dict[str, float]:
    """Returns median seconds of both, run in turn after a warm-up, and their ratio."""
    seconds = {"run": [], "convolutions": []}
    for index in range(ROUNDS + 1):
        for name, call in (("run", run), ("convolutions", yardstick)):
            start = time.perf_counter()
            tf.nest.map_structure(lambda tensor: tensor.numpy(), call())
            if index:  # The first round traces.
                seconds[name].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return medians | {"ratio": statistics.median(ratios)}


def bench_train_step(model: ModelConfig) -> dict[str, float]:
    """Times a step of two episodes: 5-way 1-shot, 15 queries, 10 unlabeled per class."""
    trainer = MetaTrainer(
        Learner(model, way=5), AdaptationConfig(), OptimizerConfig(), OptimizerConfig()
    )
    learner, episode = trainer.learner, random_episode(model, EpisodeConfig())
    meta_batch = tf.nest.map_structure(lambda field: tf.stack([field, field]), episode)

    @tf.function
    def yardstick() -> list:
        grads = []
        for _ in range(2):
            forward = [convolve(learner, episode.support_images)]
            forward.append(convolve(learner, episode.unlabeled_images))
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(convolve(learner, episode.query_images))
            grads += [*map(tf.reduce_sum, forward), loss]
            grads += map(tf.reduce_sum, tape.gradient(loss, learner.backbone.kernels))
        return grads

    return paired_medians(lambda: trainer.train_step(meta_batch), yardstick)


def bench_test_episode(model: ModelConfig) -> dict[str, float]:
    """Times an episode: 100 unlabeled per class, six stages of 30, 20 kept, 40 of 100 steps."""
    learner, config = Learner(model, way=5), SelfTrainingConfig(num_stages=6)
    settings = EpisodeConfig(queries_per_class=1, unlabeled_per_class=100)
    windows = plan_test_windows(settings, config, "paper")
    episode = random_episode(model, settings)
    run = tf.function(lambda: run_episode(learner, episode, windows, config))

    @tf.function
    def yardstick() -> list:
        batches = [episode.unlabeled_images[slice(*window.unlabeled)] for window in windows]
        batches += [episode.support_images, episode.query_images]
        return [tf.reduce_sum(convolve(learner, batch)) for batch in batches]

    return paired_medians(run, yardstick)


def main() -> None:
    """Prints a table and writes it as JSON beside this file."""
    size = "paper" if "--paper" in sys.argv[1:] else "glyphs"
    model = ModelConfig() if size == "paper" else GLYPHS
    results = {
        "meta-train step": bench_train_step(model),
        "meta-test episode": bench_test_episode(model),
    }
    print(f"{size} size, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"{'':20}{'seconds':>10}{'convolutions':>14}{'ratio':>8}")
    for name, row in results.items():
        print(f"{name:20}{row['run']:10.3f}{row['convolutions']:14.3f}{row['ratio']:8.2f}")
    path = pathlib.Path(__file__).with_name(f"meta_step_{size}.json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(f"Written: {path}\nNext: python -m benchmarks.meta_step --paper")


if __name__ == "__main__":
    main()
