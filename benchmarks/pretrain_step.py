"""A step of pre-training by each recipe, beside the limit: its convolutions alone."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.convolutions import limit
from benchmarks.timing import paired
from lst_tf2.config import MODERN, ModelConfig, PretrainConfig
from lst_tf2.structures import Examples
from lst_tf2.training.pretrain import Pretrainer

BATCH = 128
RECIPES = {"mtl": PretrainConfig("", ""), "modern": MODERN}


def pretrain_step(recipe: str, model: ModelConfig) -> Callable[[], object]:
    """Returns a call: a step on a batch of noise, the same for all recipes."""
    config = dataclasses.replace(RECIPES[recipe], model=model, batch_size=BATCH)
    trainer, rng, side = Pretrainer(config), np.random.default_rng(0), model.image_size
    images = tf.constant(rng.integers(0, 256, (BATCH, side, side, 3), np.uint8))
    batch = Examples(images, tf.constant(rng.integers(0, 64, BATCH), tf.int32))
    step = tf.constant(0)
    return lambda: [value.numpy() for value in trainer.train_step(step, batch, side).values()]


def time_recipes(model: ModelConfig, rounds: int) -> dict[str, dict[str, float]]:
    """Returns by recipe the seconds of a step, of its limit, and their ratio."""
    calls = {name: pretrain_step(name, model) for name in RECIPES}
    calls["limit"] = limit(model, forward=[], backward=[BATCH], learns_shortcuts=True)
    seconds = paired(calls, rounds)
    return {
        name: {"run": seconds[name], "limit": seconds["limit"]}
        | {"ratio": seconds[name] / seconds["limit"]}
        for name in RECIPES
    }
