"""Tests of `predict/confidence.py` and `predict/estimate.py`."""

import numpy as np
import pytest

from lst_tf2.predict.confidence import build_references, fit_temperature, softmax
from lst_tf2.predict.estimate import ATC_THRESHOLD, thresholded_confidence, wilson_interval

RNG = np.random.default_rng(0)


def test_temperature_makes_the_head_as_sure_as_it_is_right():
    logits = RNG.normal(size=(500, 4))
    for temperature in (0.3, 1.0, 8.0):
        found = fit_temperature(logits * temperature, softmax(logits))
        np.testing.assert_allclose(found, temperature, rtol=0.04)


def test_images_of_no_class_do_not_matter_for_the_temperature():
    logits = RNG.normal(size=(500, 4))
    probs = softmax(logits)
    probs[:250] = 0
    np.testing.assert_allclose(fit_temperature(3 * logits, probs), 3, rtol=0.04)


def test_what_lies_among_images_of_no_class_is_of_none():
    # Three heaps: of class 0, of class 1, of none.
    centres = np.eye(3, 8) * 5
    points = np.repeat(centres, 30, axis=0) + RNG.normal(0, 0.3, (90, 8))
    probs = np.repeat([[0.9, 0.05], [0.1, 0.8], [0.0, 0.0]], 30, axis=0)
    references = build_references(points, probs)
    found = references.look_up(centres + RNG.normal(0, 0.3, (3, 8)))
    np.testing.assert_allclose(found, [[0.9, 0.05], [0.1, 0.8], [0, 0]], atol=1e-6)


def test_neighbours_worked_by_hand():
    # Around the centre 0: two references at right angles, one opposite; two scales of 1.
    points = np.array([[1.0, 0], [0, 1.0], [-1.0, -1.0]])
    references = build_references(points, np.array([[1.0, 0], [0, 1], [0, 0]]))
    np.testing.assert_allclose(references.centre, 0, atol=1e-7)
    far = np.sqrt(1 + np.sqrt(0.5))
    np.testing.assert_allclose(references.scales[2], far, rtol=1e-6)
    distances = np.array([0, 1, 1 + np.sqrt(0.5)])
    weights = np.exp(-2 * distances / (far * references.scales))
    expected = weights[:2] / weights.sum()
    np.testing.assert_allclose(references.look_up(points[:1])[0], expected, rtol=1e-5)


def test_one_image_has_no_neighbours():
    references = build_references(np.ones((2, 3)), np.array([[1.0, 0], [0, 1]]))
    assert np.isfinite(references.look_up(np.zeros((4, 3)))).all()


def test_interval_of_wilson():
    # 8 of 10 (Newcombe, 1998): 0.490 to 0.943.
    np.testing.assert_allclose(wilson_interval(8, 10), (0.490, 0.943), atol=1e-3)
    assert wilson_interval(10, 10)[1] == pytest.approx(1)


def test_thresholded_confidence_is_the_share_of_sure_images():
    confidence = np.array([ATC_THRESHOLD - 0.01] * 25 + [ATC_THRESHOLD + 0.01] * 75)
    estimate = thresholded_confidence(confidence)
    assert estimate.accuracy == 0.75
    # Of 75 in 100 the interval of Wilson is 0.657 to 0.825; 1.96 times 0.03 comes to it.
    low, high = 0.75 - np.hypot(0.093, 0.0588), 0.75 + np.hypot(0.075, 0.0588)
    np.testing.assert_allclose((estimate.low, estimate.high), (low, high), atol=1e-3)


def test_one_image_tells_little_of_accuracy():
    unsure = thresholded_confidence(np.array([ATC_THRESHOLD - 0.01]))
    assert (unsure.accuracy, unsure.low) == (0, 0)
    assert unsure.high > 0.7
    sure = thresholded_confidence(np.array([ATC_THRESHOLD + 0.01]))
    assert (sure.accuracy, sure.high) == (1, 1)
    assert sure.low < 0.3
