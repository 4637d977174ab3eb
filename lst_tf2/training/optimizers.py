"""Adam as TensorFlow 1 computed it, with a rate that halves."""

import keras
import tensorflow as tf

from lst_tf2.config import OptimizerConfig

# Keras would take 1e-7; the original program's Adam took 1e-8.
ADAM_EPSILON = 1e-8


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

    def get_config(self) -> dict:
        """Returns the arguments as a dict, as Keras asks of a schedule."""
        return {"config": self.config}


def build_adam(config: OptimizerConfig, variables: list) -> keras.optimizers.Optimizer:
    """Returns Adam with its slots built for `variables`, ready to be restored."""
    optimizer = keras.optimizers.Adam(
        learning_rate=HalvingSchedule(config), beta_1=0.9, beta_2=0.999, epsilon=ADAM_EPSILON
    )
    optimizer.build(variables)
    return optimizer
