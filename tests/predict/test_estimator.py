"""Tests of `predict/estimator.py`, `predict/fitted.py`, `predict/training.py`, `predict/labels.py`
and `predict/saving.py`.
"""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import lst_tf2
from lst_tf2 import LSTClassifier
from lst_tf2.datasets.letters import LetterSettings, draw_letters
from lst_tf2.errors import InputError
from lst_tf2.predict.fitted import fit_head
from lst_tf2.predict.training import HeadTrainer

# What scikit-learn asks of classifiers that does not apply here, and why.
NOT_APPLICABLE = {
    "check_classifiers_classes": "It has classes -1 and 1; -1 is unlabeled here.",
}


@pytest.fixture(name="fitted", scope="module")
def fixture_fitted(letters):
    return LSTClassifier(cache=False).fit(letters.images, letters.labels)


@pytest.fixture(name="eagerly")
def fixture_eagerly():
    """No graphs, where tracing them takes longer than all else."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
def test_checks_of_scikit_learn(eagerly):
    found = check_estimator(
        LSTClassifier(backbone=None), expected_failed_checks=NOT_APPLICABLE, on_skip=None
    )
    states = {one["check_name"]: one["status"] for one in found}
    assert sum(state == "passed" for state in states.values()) > 50
    assert "failed" not in states.values()


@pytest.mark.slow
def test_a_pile_with_distractors_helps():
    gains = []
    for seed in range(300, 304):
        draw = draw_letters(LetterSettings(seed=seed))
        plain = LSTClassifier(cache=False).fit(draw.support_images, draw.support_labels)
        fitted = LSTClassifier(cache=False).fit(draw.images, draw.labels)
        queries = (draw.query_images, draw.query_labels)
        gains.append(fitted.score(*queries) - plain.score(*queries))
        is_own = np.isin(draw.unlabeled_truth, draw.support_labels)
        assert np.mean(fitted.rejected_[~is_own]) > 0.6
        assert np.mean(fitted.rejected_[is_own]) < 0.25
    assert np.mean(gains) > 0.02


def test_probabilities_are_of_the_classes_in_order(fitted, letters):
    probs = fitted.predict_proba(letters.query_images)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert list(fitted.classes_) == sorted(set(letters.support_labels))
    expected = fitted.classes_[probs.argmax(axis=1)]
    np.testing.assert_array_equal(fitted.predict(letters.query_images), expected)
    assert fitted.unlabeled_proba_.shape == (len(letters.unlabeled_images), 5)
    assert (fitted.unlabeled_proba_.sum(axis=1) < 1 + 1e-5).all()
    none = fitted.none_proba(letters.query_images)
    assert none.min() >= 0
    assert none.mean() < 0.2


def test_a_prediction_does_not_depend_on_the_batch(fitted, letters):
    together = fitted.predict_proba(letters.query_images)
    alone = [fitted.predict_proba([image])[0] for image in letters.query_images[:5]]
    np.testing.assert_allclose(alone, together[:5], atol=1e-5)


@pytest.mark.slow
def test_the_order_of_images_makes_no_difference(fitted, letters):
    order = np.random.default_rng(0).permutation(len(letters.images))
    images = [letters.images[i] for i in order]
    again = LSTClassifier(cache=False).fit(images, letters.labels[order])
    expected = fitted.predict_proba(letters.query_images)
    np.testing.assert_allclose(again.predict_proba(letters.query_images), expected, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["array", "floats", "pillow", "paths"])
def test_images_in_every_form(form, letters, tmp_path):
    images = [np.asarray(Image.fromarray(i).resize((40, 40))) for i in letters.images]
    expected = LSTClassifier().fit(images, letters.labels).predict_proba(images)
    given = {
        "array": lambda: np.stack(images),
        "floats": lambda: np.stack(images) / 255,
        "pillow": lambda: [Image.fromarray(image) for image in images],
        "paths": lambda: [tmp_path / f"{i}.png" for i in range(len(images))],
    }[form]()
    if form == "paths":
        for path, image in zip(given, images, strict=True):
            Image.fromarray(image).save(path)
    found = LSTClassifier().fit(given, letters.labels).predict_proba(given)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lst", "label_propagation", "soft_kmeans", "support"])
def test_other_methods(method, letters):
    fitted = LSTClassifier(method=method).fit(letters.images, letters.labels)
    assert fitted.score(letters.query_images, letters.query_labels) > 0.6
    assert len(fitted.stages_) == (6 if method in ("lst", "label_propagation") else 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", lst_tf2.METHODS)
def test_uneven_shots_and_no_pile(method, letters):
    rows = [0, 1, 2, 4, 6, 7, 8]  # Two images of some letters, one of others.
    images = [letters.support_images[row] for row in rows]
    fitted = LSTClassifier(method=method).fit(images, letters.support_labels[rows])
    assert fitted.score(letters.query_images, letters.query_labels) > 0.4
    assert fitted.unlabeled_proba_.shape == (0, 5)
    assert not fitted.none_proba(letters.query_images).any()


@pytest.mark.slow
@pytest.mark.parametrize("pile", [1, 2])
def test_the_smallest_piles(pile, letters):
    images = letters.support_images + letters.unlabeled_images[:pile]
    labels = [*letters.support_labels, *[-1] * pile]
    fitted = LSTClassifier().fit(images, np.array(labels, object))
    assert len(fitted.rejected_) == pile
    assert fitted.score(letters.query_images, letters.query_labels) > 0.4


@pytest.mark.slow
def test_of_a_large_pile_a_part_is_trained_on_and_all_is_labeled(letters):
    fitted = LSTClassifier(max_pile=60).fit(letters.images, letters.labels)
    assert len(fitted.stages_[0].probs) == 60
    truth = np.where(
        np.isin(letters.unlabeled_truth, fitted.classes_), letters.unlabeled_truth, "none"
    )
    labels = fitted.classes_[fitted.unlabeled_proba_.argmax(axis=1)]
    assert np.mean(np.where(fitted.rejected_, "none", labels) == truth) > 0.6


@pytest.mark.slow
def test_of_a_large_pile_as_much_is_used_as_the_method_is_made_for():
    rng = np.random.default_rng(0)
    centres = 4 * np.eye(3, 8)
    truth = np.arange(900) % 3  # The last class is of distractors.
    points = np.concatenate([centres[:2], centres[truth] + rng.normal(0, 0.5, (900, 8))])
    fitted = LSTClassifier(None).fit(points, [0, 1, *[-1] * 900])
    assert len(fitted.stages_[0].probs) == 2 * 60
    np.testing.assert_array_equal(fitted.rejected_, truth == 2)
    assert (fitted.unlabeled_proba_.argmax(axis=1) == truth)[truth < 2].all()


@pytest.mark.slow
def test_without_rejection_nothing_is_of_no_class(letters):
    fitted = LSTClassifier(reject=False).fit(letters.images, letters.labels)
    assert not fitted.none_proba(letters.query_images).any()
    assert not fitted.rejected_.any()


@pytest.mark.slow
def test_an_image_that_is_labeled_counts_once(letters):
    twins = letters.support_images[3:5]
    images = letters.images + twins
    labels = np.append(letters.labels, [-1, -1])
    fitted = LSTClassifier().fit(images, labels)
    assert len(fitted.stages_[0].probs) == len(letters.unlabeled_images)
    found = fitted.classes_[fitted.unlabeled_proba_[-2:].argmax(axis=1)]
    np.testing.assert_array_equal(found, letters.support_labels[3:5])
    np.testing.assert_array_equal(fitted.unlabeled_proba_[-2:].max(axis=1), 1)


def test_an_image_in_two_classes_is_named(letters, tmp_path):
    for name in ("one.png", "two.png"):
        Image.fromarray(letters.support_images[0]).save(tmp_path / name)
    images = [tmp_path / "one.png", letters.support_images[1], tmp_path / "two.png"]
    with pytest.raises(InputError, match=r"one.png \(number 0\) as a and .*two.png .* as b"):
        LSTClassifier().fit(images, ["a", "a", "b"])


@pytest.mark.parametrize(
    ("parameters", "labels", "message"),
    [
        ({}, ["a", "a", -1], "Expected labeled images of two classes or more, received 1 class;"),
        ({}, [-1, -1, -1], "received 0 classes"),
        ({"method": "magic"}, ["a", "b", -1], "Expected method to be one of lst, graph_lst"),
        ({"method_settings": {"alpha": 2}}, ["a", "b", -1], "alpha of at most 0.999"),
        ({"method_settings": {"magic": 2}}, ["a", "b", -1], "Expected settings of the method"),
        ({"max_pile": -1}, ["a", "b", -1], "Expected max_pile of at least 0"),
        ({"backbone": "gliphs"}, ["a", "b", -1], "Expected a backbone"),
    ],
)
def test_mistakes_are_told(parameters, labels, message, letters):
    with pytest.raises(InputError, match=message):
        LSTClassifier(**parameters).fit(letters.images[:3], np.array(labels, object))


def test_a_picture_that_cannot_be_read_is_named(letters, tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    images = [*letters.images[:2], tmp_path / "text.jpg"]
    with pytest.raises(InputError, match=r"received '.*text.jpg', which cannot be read"):
        LSTClassifier().fit(images, ["a", "b", "b"])


@pytest.mark.slow
def test_numbers_are_labels_too(letters):
    numbers = {letter: 10 + i for i, letter in enumerate(sorted(set(letters.support_labels)))}
    labels = [numbers.get(label, -1) for label in letters.labels]
    fitted = LSTClassifier().fit(letters.images, labels)
    np.testing.assert_array_equal(fitted.classes_, range(10, 15))
    expected = [numbers[label] for label in letters.query_labels]
    assert fitted.score(letters.query_images, expected) > 0.7


@pytest.mark.slow
def test_a_search_a_pipeline_and_copies(fitted, letters):
    images = [np.asarray(Image.fromarray(i).resize((40, 40))) for i in letters.query_images]
    search = GridSearchCV(
        LSTClassifier(), {"method_settings": [{"penalty": 0.01}, {"penalty": 1.0}]}, cv=2
    )
    search.fit(np.stack(images), letters.query_labels)
    assert search.best_score_ > 0.8
    pipeline = make_pipeline(LSTClassifier(), LogisticRegression())
    pipeline.fit(letters.query_images, letters.query_labels)
    assert pipeline.score(letters.support_images, letters.support_labels) > 0.6
    assert clone(fitted).get_params() == fitted.get_params()
    expected = fitted.predict_proba(letters.query_images)
    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_allclose(copied.predict_proba(letters.query_images), expected, atol=1e-6)


@pytest.mark.slow
def test_estimated_accuracy_leaves_labeled_images_out(fitted, letters):
    estimate = fitted.accuracy_estimate_
    assert estimate.how == "each of 10 labeled images, fitted without it"
    assert estimate.accuracy == fitted.estimated_accuracy_
    accuracy = fitted.score(letters.query_images, letters.query_labels)
    assert estimate.low < accuracy <= estimate.high


@pytest.mark.slow
def test_fits_that_share_a_graph_are_those_of_their_own(fitted):
    data = fitted.fit_data_
    trainer = HeadTrainer(data.stages, data.backbone)
    for row in (0, 9):
        shared, _ = fit_head(data.without(row), trainer)
        own, _ = fit_head(data.without(row))
        np.testing.assert_allclose(shared.kernel, own.kernel, rtol=1e-5, atol=1e-6)
    assert np.abs(shared.kernel - fitted.head_.kernel).max() > 1e-3


@pytest.mark.slow
def test_many_fits_tell_nothing_of_graphs(fitted, caplog):
    embeddings, labels = fitted.fit_data_.support.embeddings, fitted.fit_data_.labels
    classifier = LSTClassifier(None, method="soft_kmeans")
    for count in range(1, 8):
        classifier.fit(embeddings[:-count], labels[:-count])
    assert not caplog.messages


@pytest.mark.slow
def test_estimated_accuracy_of_single_images_goes_by_confidence(letters):
    rows = list(range(0, 10, 2))
    images, labels = [letters.support_images[row] for row in rows], letters.support_labels[rows]
    given = np.array([*labels, *[-1] * len(letters.unlabeled_images)], object)
    fitted = LSTClassifier().fit(images + letters.unlabeled_images, given)
    assert fitted.accuracy_estimate_.how.startswith("confidence on ")
    assert 0.5 < fitted.estimated_accuracy_ <= 1
    # Images that it was fitted to tell nothing.
    alone = LSTClassifier().fit(images, labels)
    assert np.isnan(alone.estimated_accuracy_)
    assert "label two images of a class" in alone.accuracy_estimate_.describe()
