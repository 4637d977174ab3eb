import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import descent_path, support_loss
from lst_tf2.adaptation.self_training import SupportSet, plan_windows, self_train
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Features


@pytest.mark.parametrize(
    ("total", "size", "stride", "expected"),
    [
        (500, 150, 75, [(0, 150), (75, 225), (150, 300), (225, 375), (300, 450)]),
        (500, 150, 150, [(0, 150), (150, 300), (300, 450)]),
        (10, 3, 5, [(0, 3), (5, 8)]),
        (10, 10, 7, [(0, 10)]),
        (10, 11, 5, []),
    ],
)
def test_windows_as_many_as_fit(total, size, stride, expected):
    assert plan_windows(total, size, stride) == expected


def random_features(rng, count):
    maps = rng.normal(size=(count, 2, 2, 6)).astype(np.float32)
    return Features(tf.constant(maps), tf.constant(maps.mean(axis=(1, 2))))


@pytest.fixture(name="problem")
def fixture_problem():
    rng = np.random.default_rng(0)
    initial = Classifier(tf.constant(rng.normal(size=(6, 3)), tf.float32), tf.zeros([3]))
    support = SupportSet(random_features(rng, 3), tf.constant([0, 1, 2]))
    return initial, support, [random_features(rng, 9) for _ in range(2)]


def score_evenly(prototypes, maps):
    return tf.zeros([maps.shape[0], prototypes.shape[0]])


def test_without_retraining_it_is_the_supervised_learner(problem):
    initial, support, windows = problem
    config = SelfTrainingConfig(
        num_stages=2, retrain_steps=0, steps_per_stage=4, inner_steps=6, selected_per_class=2
    )
    training = self_train(initial, support, windows, score_evenly, config)
    expected = descent_path(initial, support_loss(support.examples, 1), lr=0.01, steps=6)
    np.testing.assert_allclose(training.final_path.kernel, expected.kernel, rtol=1e-5)


def test_stages_take_windows_in_turn_and_start_anew(problem):
    initial, support, windows = problem
    config = SelfTrainingConfig(
        num_stages=3, retrain_steps=2, steps_per_stage=3, inner_steps=5, selected_per_class=2
    )
    training = self_train(initial, support, windows, score_evenly, config)
    assert len(training.stages) == 3
    assert training.final_path.kernel.shape == (5, 6, 3)
    for stage, window in zip(training.stages, [windows[0], windows[1], windows[0]], strict=True):
        candidates = tf.concat([window.embeddings, support.features.embeddings], axis=0)
        np.testing.assert_array_equal(
            stage.pool.examples.embeddings, tf.gather(candidates, stage.pool.selection.rows)
        )
    # From the same start on the same pool the same path follows.
    again = self_train(initial, support, windows[:1], score_evenly, config)
    np.testing.assert_array_equal(again.stages[0].path.kernel, training.stages[0].path.kernel)


def test_without_selection_every_image_of_the_window_counts(problem):
    initial, support, windows = problem
    config = SelfTrainingConfig(
        num_stages=2, retrain_steps=1, steps_per_stage=2, inner_steps=2, selection="none"
    )
    first, second = self_train(initial, support, windows, score_evenly, config).stages
    np.testing.assert_array_equal(first.pool.selection.rows, range(9))
    np.testing.assert_array_equal(first.pool.examples.embeddings, windows[0].embeddings)
    labeler = tf.nest.map_structure(lambda p: p[-1], first.path)
    logits = windows[1].embeddings @ labeler.kernel + labeler.bias
    np.testing.assert_array_equal(second.pool.examples.labels, tf.argmax(logits, axis=1))


def test_without_weighting_scores_do_not_matter(problem):
    def score_unevenly(prototypes, maps):
        return tf.reduce_sum(maps, axis=[1, 2])[:, :3]

    def kernel(score_fn, **changes):
        config = SelfTrainingConfig(
            num_stages=1, retrain_steps=2, steps_per_stage=3, inner_steps=3, selected_per_class=2
        )
        config = dataclasses.replace(config, **changes)
        return self_train(*problem, score_fn, config).final_path.kernel

    plain = kernel(score_evenly, weighting="none")
    np.testing.assert_array_equal(plain, kernel(score_unevenly, weighting="none"))
    assert np.abs(kernel(score_evenly) - kernel(score_unevenly)).max() > 1e-4
    # Even soft weights are 1 / N each, no weights are 1.
    assert np.abs(plain - kernel(score_evenly)).max() > 1e-4


def test_graph_matches_eager(problem):
    config = SelfTrainingConfig(
        num_stages=2, retrain_steps=2, steps_per_stage=3, inner_steps=5, selected_per_class=2
    )
    eager = self_train(*problem, score_evenly, config)
    graph = tf.function(self_train)(*problem, score_evenly, config)
    np.testing.assert_allclose(eager.final_path.kernel, graph.final_path.kernel, rtol=1e-5)
