"""Tests of `adaptation/stages.py` and `adaptation/parts.py`."""

import types

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import descent_path
from lst_tf2.adaptation.parts import support_loss
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import (
    first_evidence,
    last_choice,
    plan_windows,
    pseudo_label_accuracy,
    self_train,
)
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Examples, Features
from tests.adaptation.evidence import evidence_of, pseudo_labeled


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
    support = Examples(random_features(rng, 3), tf.constant([0, 1, 2]))
    return support, [random_features(rng, 9) for _ in range(2)], initial


def score_evenly(prototypes, maps):
    return tf.zeros([maps.shape[0], prototypes.shape[0]])


def score_unevenly(prototypes, maps):
    return tf.reduce_sum(maps, axis=[1, 2])[:, :3]


def train(problem, score_fn=score_evenly, **settings):
    config = SelfTrainingConfig(
        **{"num_stages": 2, "retrain_steps": 2, "steps_per_stage": 3, "inner_steps": 5}
        | {"selected_per_class": 2}
        | settings
    )
    method = load_method(config, types.SimpleNamespace(soft_weighting=score_fn))
    return self_train(method, *problem, config)


def test_without_retraining_it_is_the_supervised_learner(problem):
    support, _, initial = problem
    training = train(problem, retrain_steps=0, steps_per_stage=4, inner_steps=6)
    evidence = evidence_of(initial, support.inputs.embeddings, support.labels)
    expected = descent_path(initial, support_loss(evidence), lr=0.01, steps=6)
    np.testing.assert_allclose(
        training.final_path.last(None).kernel, expected.last(None).kernel, rtol=1e-5
    )
    alone = train(problem, method="support", steps_per_stage=4, inner_steps=6)
    np.testing.assert_allclose(
        alone.final_path.last(None).kernel, expected.last(None).kernel, rtol=1e-5
    )
    assert alone.stages[0].chosen.rows.shape == (0,)


def test_stages_take_windows_in_turn_and_start_again(problem):
    support, windows, initial = problem
    training = train(problem, num_stages=3)
    assert len(training.stages) == 3
    assert len(training.final_path) == 5
    for stage, window in zip(training.stages, [windows[0], windows[1], windows[0]], strict=True):
        candidates = tf.concat([window.embeddings, support.inputs.embeddings], axis=0)
        np.testing.assert_array_equal(
            stage.chosen.features.embeddings, tf.gather(candidates, stage.chosen.rows)
        )
    # From the same start on the same window the same path follows.
    again = train((support, windows[:1], initial), num_stages=3)
    np.testing.assert_array_equal(
        again.stages[0].path.last(None).kernel, training.stages[0].path.last(None).kernel
    )


def test_without_selection_every_image_of_the_window_counts(problem):
    _, windows, _ = problem
    training = train(problem, retrain_steps=1, steps_per_stage=2, inner_steps=2, selection="none")
    first, second = training.stages
    np.testing.assert_array_equal(first.chosen.rows, range(9))
    np.testing.assert_array_equal(first.chosen.features.embeddings, windows[0].embeddings)
    labeler = first.path.last(None)
    logits = windows[1].embeddings @ labeler.kernel + labeler.bias
    np.testing.assert_array_equal(second.chosen.targets, np.eye(3)[tf.argmax(logits, axis=1)])


def test_without_weighting_scores_do_not_matter(problem):
    def kernel(score_fn, **changes):
        return train(problem, score_fn, num_stages=1, **changes).final_path.last(None).kernel

    plain = kernel(score_evenly, weighting="none")
    np.testing.assert_array_equal(plain, kernel(score_unevenly, weighting="none"))
    assert np.abs(kernel(score_evenly) - kernel(score_unevenly)).max() > 1e-4
    # Even soft weights are 1 / N each, no weights are 1.
    assert np.abs(plain - kernel(score_evenly)).max() > 1e-4


def test_learned_rates_take_the_place_of_the_one_everywhere(problem):
    support, windows, initial = problem
    config = SelfTrainingConfig(num_stages=2, retrain_steps=2, steps_per_stage=3, inner_steps=5)
    method = load_method(config, types.SimpleNamespace(soft_weighting=score_unevenly))

    def classifiers(rates):
        training = self_train(method, support, windows, initial, config, rates)
        first = first_evidence(support, windows[0], initial, config, rates).labeler
        ends = [stage.path.last(initial) for stage in training.stages]
        return tf.nest.flatten([first, *ends, training.final_path.last(initial)])

    def filled(rate):
        return tf.nest.map_structure(lambda values: tf.fill(values.shape, rate), initial)

    for with_one, with_rates in zip(classifiers(None), classifiers(filled(0.01)), strict=True):
        np.testing.assert_allclose(with_one, with_rates, rtol=1e-6)
    for values, start in zip(classifiers(filled(0.0)), [*initial] * 4, strict=True):
        np.testing.assert_array_equal(values, start)


@pytest.mark.slow
def test_graph_matches_eager(problem):
    eager = train(problem)
    graph = tf.function(lambda: train(problem).final_path.last(None).kernel)()
    np.testing.assert_allclose(eager.final_path.last(None).kernel, graph, rtol=1e-5)


def test_last_choice_is_that_of_the_last_stage(problem):
    support, windows, initial = problem
    training = train((support, windows[:1], initial), num_stages=3)
    config = SelfTrainingConfig(
        num_stages=3, retrain_steps=2, steps_per_stage=3, inner_steps=5, selected_per_class=2
    )
    method = load_method(config, types.SimpleNamespace(soft_weighting=score_evenly))
    evidence = first_evidence(support, windows[0], initial, config)
    evidence, chosen = last_choice(method, evidence, 3)
    np.testing.assert_array_equal(chosen.rows, training.stages[-1].chosen.rows)
    np.testing.assert_array_equal(
        evidence.labeler.kernel, training.stages[1].path.last(None).kernel
    )
    np.testing.assert_array_equal(evidence.accepted.rows, training.stages[1].chosen.rows)


def test_pseudo_label_accuracy_counts_unlabeled_rows_and_distractors():
    labels = tf.constant([0, 1, -1, 1])  # Row 2 is a distractor; rows 4 and 5 are support.
    embeddings = tf.zeros([6, 2])
    chosen = pseudo_labeled(embeddings, [0, 0, 0, 1, 0, 1], 2, tf.ones([6, 2]))
    chosen = chosen._replace(rows=tf.constant([0, 2, 4, 1, 3, 5]))
    assert float(pseudo_label_accuracy(chosen, labels)) == pytest.approx(2 / 4)
    # Rows 0 and 2, a right one and a distractor, with weights 3 and 1; the others weigh nothing.
    weighted = chosen._replace(loss_weights=tf.constant([3.0, 1.0, 5.0, 0.0, 0.0, 0.0]))
    assert float(pseudo_label_accuracy(weighted, labels)) == pytest.approx(3 / 4)
    support_only = pseudo_labeled(embeddings[:2], [0, 1], 2, tf.ones([2, 2]))
    support_only = support_only._replace(rows=tf.constant([4, 5]))
    assert np.isnan(pseudo_label_accuracy(support_only, labels))
