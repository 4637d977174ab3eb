"""Gradients, and the scaling that keeps them within the range of float16."""

from collections.abc import Callable, Iterable

import tensorflow as tf

# As in Keras: halved when a gradient overflows, doubled after so many steps without.
INITIAL_SCALE = 2.0**15
GROWTH_STEPS = 2000


def gradients_of(
    tape: tf.GradientTape, loss: tf.Tensor, variables: list, scale: tf.Tensor | None = None
) -> list[tf.Tensor]:
    """Returns the gradients of `loss`, zeros for variables that have no part in it.

    Args:
        tape: What recorded the loss.
        loss: A scalar.
        variables: What to differentiate by.
        scale: Multiplies the gradients on their way and is divided out at its end.
    """
    grads = tape.gradient(loss, variables, output_gradients=scale)
    pairs = zip(grads, variables, strict=True)
    grads = [tf.zeros(variable.shape) if grad is None else grad for grad, variable in pairs]
    return grads if scale is None else [grad / scale for grad in grads]


def apply_if_finite(values: Iterable[tf.Tensor], apply: Callable[[], None]) -> tf.Tensor:
    """Calls `apply` if all of `values` are finite, and returns whether, a boolean scalar."""
    is_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(value)) for value in values])
    tf.cond(is_finite, apply, lambda: None)
    return is_finite


class LossScale:
    """Keeps the factor by which losses are multiplied before float16 sees their gradients.

    One for two optimizers, of which both take a step or neither does; `LossScaleOptimizer` of Keras
    has a scale for each, and other methods in Keras 2 than in Keras 3.
    """

    def __init__(self):
        self.scale = tf.Variable(INITIAL_SCALE, trainable=False, name="scale")
        self.good_steps = tf.Variable(0.0, trainable=False, name="good_steps")

    def named_variables(self) -> dict:
        """Returns the state by names."""
        return {"optimizer_loss_scale": self.scale, "optimizer_good_steps": self.good_steps}

    def apply_if_finite(self, grads: list[tf.Tensor], apply: Callable[[], None]) -> tf.Tensor:
        """Calls `apply` unless the scale was too large for `grads`, and adjusts it.

        Returns:
            Whether it did, a boolean scalar.
        """
        is_finite = apply_if_finite(grads, apply)
        self._adjust(is_finite)
        return is_finite

    def _adjust(self, is_finite: tf.Tensor) -> None:
        grown = self.good_steps + 1 >= GROWTH_STEPS
        factor = tf.where(is_finite, tf.where(grown, 2.0, 1.0), 0.5)
        self.scale.assign(tf.maximum(self.scale * factor, 1.0))
        self.good_steps.assign(tf.where(is_finite & ~grown, self.good_steps + 1, 0.0))
