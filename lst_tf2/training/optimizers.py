"""Optimizers with a rate that halves; by default Adam as TensorFlow 1 computed it."""

import functools
import importlib
import warnings
from typing import Any

import keras
import tensorflow as tf

from lst_tf2.config import OptimizerConfig
from lst_tf2.errors import InputError

# Keras would take 1e-7; the original program's Adam took 1e-8.
ADAM_EPSILON = 1e-8
ADDONS_PREFIX = "Addons>"
# Not optimizers by themselves; one expects scaled losses.
NOT_USABLE = ("Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")


class HalvingSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Halves the rate every so many steps, down to a floor.

    A drop takes effect on the step after the one that is a multiple of the interval, as
    in the original program, whose floor also raises a rate that began below it.
    """

    def __init__(self, config: OptimizerConfig):
        super().__init__()
        self.config = config

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns the float32 rate of the update that is made after `step` updates."""
        previous = tf.maximum(tf.cast(step, tf.int64) - 1, 0)
        drops = tf.cast(previous // self.config.halve_every_steps, tf.float32)
        halved = tf.maximum(self.config.initial_lr * 0.5**drops, self.config.min_lr)
        return tf.where(drops > 0, halved, self.config.initial_lr)


def schedule_of(config: OptimizerConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the rate by the number of updates that were made."""
    if not config.falling_steps:
        return HalvingSchedule(config)
    warmup = round(config.warmup_share * config.falling_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else config.initial_lr,
        decay_steps=config.falling_steps - warmup,
        warmup_target=config.initial_lr if warmup else None,
        warmup_steps=warmup,
    )


def build_optimizer(config: OptimizerConfig, variables: list) -> Any:
    """Returns an optimizer with its slots built for `variables`, ready to be restored.

    Raises:
        InputError: If there is none of that name, or it needs more than a learning rate.
    """
    optimizer = _create(config.name, config, schedule_of(config))
    if _is_legacy(type(optimizer)):
        optimizer._create_all_weights(variables)
    else:
        optimizer.build(variables)
    return optimizer


def take_gradients_as_they_are(optimizer: Any) -> None:
    """Keeps Keras from summing gradients over replicas: they are the same on all of them."""
    if hasattr(optimizer, "_all_reduce_sum_gradients"):  # Keras 3 has no argument for it.
        optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    else:
        optimizer.apply_gradients = functools.partial(
            optimizer.apply_gradients, experimental_aggregate_gradients=False
        )


def rate_of(optimizer: Any, config: OptimizerConfig) -> float:
    """Returns the learning rate of the next update; Keras 2 would tell that of the last."""
    return float(schedule_of(config)(optimizer.iterations))


def _create(name: str, config: OptimizerConfig, schedule, *, is_legacy: bool = False) -> Any:
    """Returns the optimizer `name`, or `outer(inner)`: one that wraps another."""
    outer, _, inner = name.partition("(")
    found = _find_class(outer.strip(), is_legacy=is_legacy)
    if inner:
        wrapped = _create(
            inner.strip().removesuffix(")"), config, schedule, is_legacy=_is_legacy(found)
        )
        make = functools.partial(found, wrapped)
    elif found.__name__ == "Adam":
        make = functools.partial(found, learning_rate=schedule, epsilon=ADAM_EPSILON)
    elif found.__name__ == "SGD":
        momentum = {"momentum": config.momentum, "nesterov": config.momentum > 0}
        make = functools.partial(found, learning_rate=schedule, **momentum)
    else:
        make = functools.partial(found, learning_rate=schedule)
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected an optimizer that takes a learning rate alone, or one that takes another, "
            f"as in 'Addons>Lookahead(Adam)', received {name!r} ({error}); choose another."
        ) from None


def _find_class(name: str, *, is_legacy: bool) -> type:
    """Returns the optimizer class that Keras has under `name`, or that is registered so."""
    if name.startswith(ADDONS_PREFIX):
        _register_addons(name)
    module = keras.optimizers.legacy if is_legacy else keras.optimizers
    own = {
        key.lower(): value
        for key, value in vars(module).items()
        if isinstance(value, type) and key not in NOT_USABLE
    }
    found = keras.saving.get_registered_object(name) or own.get(name.lower())
    if found is None:
        known = sorted(value.__name__ for value in own.values())
        raise InputError(
            f"Expected an optimizer of Keras ({', '.join(known)}) or a registered one such as "
            f"'{ADDONS_PREFIX}RectifiedAdam', received {name!r}; fix its name."
        ).about("name")
    return found


def _is_legacy(found: type) -> bool:
    """Returns whether an optimizer is of the kind that Keras 2 calls so, as the addons' are."""
    return not hasattr(found, "build")


def _register_addons(name: str) -> None:
    """Imports tensorflow-addons, which registers its optimizers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It announces its end of life.
            importlib.import_module("tensorflow_addons")
    except ImportError as error:
        raise InputError(
            f"Expected tensorflow-addons for {name!r}, found none that can be imported ({error}); "
            "it needs TensorFlow 2.15 and Python 3.10 or 3.11: pip install '.[addons]'."
        ) from None
