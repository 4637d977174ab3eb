import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.structures import Examples
from tests.small_training import CONFIG, build_trainer, random_meta_batch


def episode_of(batch, index):
    return tf.nest.map_structure(lambda array: array[index : index + 1], batch)


def norms(gradients):
    return [float(tf.norm(gradient)) for gradient in gradients]


@pytest.mark.slow
def test_gradients_of_a_meta_batch_are_the_mean_of_its_episodes():
    trainer, batch = build_trainer(), random_meta_batch()
    scalars, *whole = trainer.gradients(batch)
    parts = [trainer.gradients(episode_of(batch, i)) for i in range(2)]
    for name in ("retrain_query_loss", "finetune_query_loss", "accuracy"):
        mean = np.mean([part[0][name] for part in parts])
        np.testing.assert_allclose(scalars[name], mean, rtol=1e-5)
    for k in range(2):
        for grad, one, two in zip(whole[k], parts[0][k + 1], parts[1][k + 1], strict=True):
            np.testing.assert_allclose(grad, (one + two) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_each_loss_trains_its_own_variables():
    trainer = build_trainer()
    before = [variable.numpy() for variable in trainer.learner.backbone.kernels]
    _, meta_gradients, swn_gradients = trainer.gradients(random_meta_batch())
    scale_norms = norms(meta_gradients[: len(trainer.learner.backbone.scales)])
    assert min(scale_norms) > 1e-4
    assert min(norms(meta_gradients[-2:])) > 1e-4
    by_name = dict(
        zip(trainer.learner.soft_weighting.named_variables(), swn_gradients, strict=True)
    )
    for name in ("conv1_kernel", "conv2_kernel", "dense1_kernel", "dense2_kernel"):
        assert float(tf.norm(by_name[name])) > 1e-6, name
    trainer.train_step(random_meta_batch())
    for variable, value in zip(trainer.learner.backbone.kernels, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"retrain_steps": 0}, {"weighting": "none"}])
def test_without_its_part_the_soft_weighting_network_rests(changes):
    trainer = build_trainer(dataclasses.replace(CONFIG, **changes))
    _, meta_gradients, swn_gradients = trainer.gradients(random_meta_batch())
    assert norms(swn_gradients) == [0.0] * 8
    assert min(norms(meta_gradients[-2:])) > 1e-4


@pytest.mark.slow
def test_permuting_unlabeled_images_changes_nothing():
    trainer, batch = build_trainer(), random_meta_batch()
    order = np.random.default_rng(3).permutation(9)
    unlabeled = Examples(*(array[:, order] for array in batch.unlabeled))
    permuted = batch._replace(unlabeled=unlabeled)
    expected, actual = (trainer.gradients(b)[0] for b in (batch, permuted))
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_graph_matches_eager():
    trainer, batch = build_trainer(), random_meta_batch()
    eager, graph = trainer.gradients(batch), tf.function(trainer.gradients)(batch)
    for left, right in zip(tf.nest.flatten(eager), tf.nest.flatten(graph), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_steps_learn_and_are_compiled_once():
    trainer, batch = build_trainer(), random_meta_batch()
    losses = [float(trainer.train_step(batch)["finetune_query_loss"]) for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]
    trainer.train_step(random_meta_batch(seed=1))
    assert trainer.train_step.experimental_get_tracing_count() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step"),
    [("classifier/kernel", 0.01), ("inner_rates/kernel", 0.001), ("inner_rates/bias", 0.001)],
)
def test_gradient_is_that_of_finite_differences(name, step):
    # In float32 a central difference of the loss is good to a percent or so.
    trainer, batch = build_trainer(learn_inner_lr=True), random_meta_batch()
    learner = trainer.learner
    variable = learner.named_variables()[name]
    (place,) = [i for i, each in enumerate(learner.meta_variables) if each is variable]
    _, meta_gradients, _ = trainer.gradients(batch)
    gradient, base = meta_gradients[place].numpy(), variable.numpy()
    direction = gradient / np.linalg.norm(gradient)

    def loss_at(distance):
        variable.assign(base + distance * direction)
        return float(trainer.gradients(batch)[0]["finetune_query_loss"])

    slope = (loss_at(step) - loss_at(-step)) / (2 * step)
    assert slope == pytest.approx(np.linalg.norm(gradient), rel=0.03)


@pytest.mark.slow
def test_rates_are_learned_on_request_from_the_one_rate_on():
    plain, learning = build_trainer(), build_trainer(learn_inner_lr=True)
    added = learning.learner.named_variables().keys() - plain.learner.named_variables().keys()
    assert added == {"inner_rates/kernel", "inner_rates/bias"}
    rates = learning.learner.inner_rates
    assert [*learning.learner.meta_variables[-2:]] == [rates.kernel, rates.bias]
    expected, actual = (t.gradients(random_meta_batch()) for t in (plain, learning))
    for name, value in expected[0].items():
        np.testing.assert_allclose(actual[0][name], value, rtol=1e-5, err_msg=name)
    for one, other in zip(expected[1], actual[1][:-2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    learning.train_step(random_meta_batch())
    # The first step of Adam moves each by its rate of 0.01, up or down.
    moved = np.abs(rates.kernel.numpy() - CONFIG.inner_lr)
    np.testing.assert_allclose(moved, 0.01, rtol=1e-2)
