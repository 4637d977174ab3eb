"""The losses of pre-training against their formulas, and which variables they teach.

Also of `training/average.py`.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import MODERN, ModelConfig, PretrainConfig, RecipeConfig
from lst_tf2.structures import Examples
from lst_tf2.training.average import LIVE, Average
from lst_tf2.training.pretrain import Pretrainer
from lst_tf2.training.pretrain_losses import PretrainLosses, episodic_loss, smooth

MODEL = ModelConfig(filters=(4, 8), image_size=16)
PLAIN = PretrainConfig("d", "r", model=MODEL, num_classes=5)
STEP = tf.constant(3)


@pytest.fixture(scope="module", name="batch")
def fixture_batch():
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (12, 16, 16, 3), np.uint8))
    return Examples(images, tf.constant(rng.integers(0, 5, 12), tf.int32))


def test_plain_loss_is_the_cross_entropy_of_classes(batch):
    config = dataclasses.replace(PLAIN, keep_probability=1.0)
    trainer = Pretrainer(config)
    losses = PretrainLosses(config)(trainer.model, batch, STEP, 16)
    logits = trainer.model(batch.inputs)
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(batch.labels, logits)
    assert float(losses.loss) == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-6)
    hits = np.argmax(logits, axis=-1) == batch.labels
    assert float(losses.accuracy) == pytest.approx(np.mean(hits))


def test_smoothed_targets_sum_to_one():
    targets = tf.one_hot([1, 0], 4)
    np.testing.assert_allclose(smooth(targets, 0.2)[0], [0.05, 0.85, 0.05, 0.05], rtol=1e-6)
    assert smooth(targets, 0.0) is targets


def test_episodic_loss_leaves_each_example_out_of_its_class():
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(7, 3)).astype(np.float32)
    labels = np.array([0, 0, 0, 2, 2, 3, 2])  # No 1, and 3 is alone.
    losses = []
    for i in np.flatnonzero(labels != 3):
        rest = np.arange(7) != i
        cosines = []
        for n in (0, 2, 3):
            mean = embeddings[rest & (labels == n)].mean(axis=0)
            norms = np.linalg.norm(mean) * np.linalg.norm(embeddings[i])
            cosines.append(10 * mean @ embeddings[i] / norms)
        own = cosines[(0, 2, 3).index(labels[i])]
        losses.append(np.log(np.exp(cosines).sum()) - own)
    found = episodic_loss(tf.constant(embeddings), tf.one_hot(labels, 4))
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-4)


def test_episodic_loss_of_a_batch_without_pairs_is_nothing():
    embeddings = tf.random.stateless_normal([3, 4], [0, 0])
    assert float(episodic_loss(embeddings, tf.eye(3))) == 0


@pytest.mark.parametrize("recipe", [MODERN.recipe, RecipeConfig(episodic_weight=0.5)])
def test_losses_teach_all_that_is_learned(batch, recipe):
    trainer = Pretrainer(dataclasses.replace(PLAIN, recipe=recipe))
    with tf.GradientTape() as tape:
        loss, _ = trainer.losses(trainer.model, batch, STEP, 16)
    learned = trainer.model.decayed_variables
    gradients = tape.gradient(loss, learned)
    assert all(float(tf.norm(gradient)) > 0 for gradient in gradients)
    assert ("turn_head/kernel" in trainer.model.named_variables()) == bool(recipe.turned_share)


@pytest.mark.slow
def test_weight_decay_is_that_of_kernels_alone(batch):
    quiet = dataclasses.replace(
        PLAIN, optimizer=dataclasses.replace(PLAIN.optimizer, name="SGD", initial_lr=1.0)
    )
    decayed = dataclasses.replace(
        quiet, optimizer=dataclasses.replace(quiet.optimizer, weight_decay=0.25)
    )
    trainers = [Pretrainer(config) for config in (quiet, decayed)]
    before = {name: v.numpy() for name, v in trainers[0].model.named_variables().items()}
    for trainer in trainers:
        trainer.train_step(STEP, batch, 16)
    plain, other = (trainer.model.named_variables() for trainer in trainers)
    for name, start in before.items():
        is_kernel = "kernel" in name or "shortcut" in name
        expected = plain[name].numpy() - 0.25 * start * is_kernel
        np.testing.assert_allclose(other[name].numpy(), expected, atol=1e-5)


def test_average_forgets_the_start_and_keeps_the_names():
    weight, other = tf.Variable([0.0]), tf.Variable([5.0])
    average = Average([weight], 0.5)
    expected = 0.0
    for step in range(4):
        weight.assign([step + 1.0])
        average.update(tf.constant(step))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1)
    named = average.named_variables({"weight": weight, "other": other})
    assert named.keys() == {"weight", "other", f"{LIVE}weight"}
    np.testing.assert_allclose(named["weight"].numpy(), [expected], rtol=1e-6)
    assert named[f"{LIVE}weight"] is weight
    assert named["other"] is other
    assert Average([weight], 0.0).named_variables({"weight": weight}) == {"weight": weight}
