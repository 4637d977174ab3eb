"""The average of weights over the last steps of a training."""

from typing import Any

import tensorflow as tf

# How weights themselves are named in a checkpoint whose names belong to their average.
LIVE = "optimizer_live/"


class Average:
    """Keeps an exponential moving average of variables; with `decay` 0 there is none."""

    def __init__(self, variables: list, decay: float):
        self.decay = decay
        self.variables = variables if decay else []
        self.averages = [tf.Variable(variable, trainable=False) for variable in self.variables]

    def update(self, step: tf.Tensor) -> None:
        """Takes the present values in, after step `step` from 0.

        The first steps average over fewer: what weights were at the start is soon forgotten.
        """
        done = tf.cast(step, tf.float32)
        decay = tf.minimum(self.decay, (1 + done) / (10 + done))
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign_add((1 - decay) * (tf.convert_to_tensor(variable) - average))

    def named_variables(self, named: dict[str, Any]) -> dict[str, Any]:
        """Returns `named` with averages in place of what is averaged, and that by other names."""
        averages = {id(v): a for v, a in zip(self.variables, self.averages, strict=True)}
        live = {f"{LIVE}{name}": v for name, v in named.items() if id(v) in averages}
        return {name: averages.get(id(v), v) for name, v in named.items()} | live
