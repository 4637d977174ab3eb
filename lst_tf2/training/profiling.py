"""Profiles of a few steps, for the Profile tab of TensorBoard."""

import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def profile(step_fn: Callable[[int, Any], dict], steps: range, folder: pathlib.Path) -> Callable:
    """Returns `step_fn`, with the calls for `steps` recorded below `<folder>/logs`.

    Args:
        step_fn: Takes the step, from 0, and a batch.
        steps: Those to record; none if empty.
        folder: The run's.
    """
    if not steps:
        return step_fn

    def call(step: int, batch: Any) -> dict:
        if step not in steps:
            return step_fn(step, batch)
        if step == steps.start:
            tf.profiler.experimental.start(str(folder / "logs"))
        with tf.profiler.experimental.Trace("step", step_num=step, _r=1):
            scalars = {name: value.numpy() for name, value in step_fn(step, batch).items()}
        if step == steps[-1]:
            tf.profiler.experimental.stop()
        return scalars

    return call
