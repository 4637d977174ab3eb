import importlib.util
import json
import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import OptimizerConfig
from lst_tf2.errors import InputError
from lst_tf2.training.optimizers import HalvingSchedule, build_optimizer, rate_of

HAS_ADDONS = importlib.util.find_spec("tensorflow_addons") is not None
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
    optimizer = build_optimizer(OptimizerConfig(0.01), [variable])
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


@pytest.mark.parametrize("name", ["Adam", "sgd", "AdamW", "RMSprop", "Lion"])
def test_optimizers_of_keras_follow_the_schedule(name):
    variable = tf.Variable([1.0, -2.0])
    config = OptimizerConfig(0.5, 0.1, 1, name)
    optimizer = build_optimizer(config, [variable])
    rates = []
    for _ in range(5):
        rates.append(rate_of(optimizer, config))
        optimizer.apply_gradients([(tf.constant([1.0, 1.0]), variable)])
    np.testing.assert_allclose(rates, [0.5, 0.5, 0.25, 0.125, 0.1], rtol=1e-6)
    assert variable.numpy()[0] < 0.5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nadamax", r"Expected an optimizer of Keras \(.*Adam, AdamW.*received 'Nadamax'; fix"),
        ("Optimizer", "received 'Optimizer'"),
        ("", "received ''"),
        ("Adam(SGD", "received 'SGD'|takes a learning rate alone"),
        ("Other>Thing", "received 'Other>Thing'"),
    ],
)
def test_unknown_optimizers_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        build_optimizer(OptimizerConfig(name=name), [tf.Variable([1.0])])


@pytest.mark.skipif(HAS_ADDONS, reason="tensorflow-addons is installed")
def test_optimizer_of_the_addons_says_what_it_needs():
    with pytest.raises(InputError, match=r"TensorFlow 2.15 and Python 3.10 or 3.11: pip install"):
        build_optimizer(OptimizerConfig(name="Addons>RectifiedAdam"), [tf.Variable([1.0])])


def test_falling_rate_rises_first_and_ends_at_zero():
    config = OptimizerConfig(0.2, falling_steps=8, warmup_share=0.25)
    variable = tf.Variable([1.0])
    optimizer = build_optimizer(config, [variable])
    rates = []
    for _ in range(9):
        rates.append(rate_of(optimizer, config))
        optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    falling = [0.1 * (1 + math.cos(math.pi * step / 6)) for step in range(7)]
    np.testing.assert_allclose(rates, [0, 0.1, *falling], atol=1e-6)
    without = OptimizerConfig(0.2, falling_steps=8)
    assert rate_of(build_optimizer(without, [variable]), without) == pytest.approx(0.2)


def test_sgd_takes_the_momentum_of_nesterov():
    variable = tf.Variable([1.0])
    config = OptimizerConfig(0.1, 0.1, name="SGD", momentum=0.9)
    optimizer = build_optimizer(config, [variable])
    value, velocity = 1.0, 0.0
    for _ in range(4):
        optimizer.apply_gradients([(tf.constant([2.0]), variable)])
        velocity = 0.9 * velocity - 0.1 * 2.0
        value += 0.9 * velocity - 0.1 * 2.0
    np.testing.assert_allclose(variable.numpy(), [value], rtol=1e-6)
