import json
import math
import pathlib

import numpy as np
import tensorflow as tf

from lst_tf2.config import OptimizerConfig
from lst_tf2.training.optimizers import HalvingSchedule, build_adam

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "episodes_a" / "lr_schedule.json"


def test_rates_are_the_recorded_ones():
    recorded = json.loads(GOLDEN.read_text())
    flags = recorded["flags"]
    interval = math.lcm(flags["lr_drop_step"], flags["meta_val_print_step"])
    for name in ("meta_lr", "swn_lr"):
        schedule = HalvingSchedule(OptimizerConfig(flags[name], flags["min_meta_lr"], interval))
        rates = [float(schedule(step)) for step in range(flags["metatrain_iterations"])]
        np.testing.assert_allclose(rates, recorded[name], rtol=1e-6)


def test_floor_raises_a_rate_that_began_below_it():
    schedule = HalvingSchedule(OptimizerConfig(1e-5, 1e-4, halve_every_steps=3))
    np.testing.assert_allclose([schedule(step) for step in range(6)], [1e-5] * 4 + [1e-4] * 2)


def test_adam_is_that_of_tensorflow_1():
    variable = tf.Variable([1.0, -2.0])
    optimizer = build_adam(OptimizerConfig(0.01), [variable])
    value, first, second = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for step in range(1, 6):
        grad = np.array([0.3 * step, -1e-8])
        optimizer.apply_gradients([(tf.constant(grad, tf.float32), variable)])
        first = 0.9 * first + 0.1 * grad
        second = 0.999 * second + 0.001 * grad**2
        rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        # TensorFlow 1 adds its 1e-8 to the root of the uncorrected second moment.
        value = value - rate * first / (np.sqrt(second) + 1e-8)
    np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5)
