import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.evaluation.episode import DISTRACTOR, RIGHT, WRONG, outcomes_of
from lst_tf2.evaluation.rejection import calibration_error, rejected_distractors, reliability


def test_outcomes_of_labels():
    probs = tf.constant([[0.8, 0.1], [0.3, 0.4], [0.9, 0.1], [0.2, 0.1]])
    outcomes = outcomes_of(probs, tf.constant([0, 0, -1, -1]))
    np.testing.assert_array_equal(outcomes, [RIGHT, WRONG, DISTRACTOR, DISTRACTOR])


def test_rejected_share_worked_by_hand():
    # Right ones at 0.1, 0.2, ..., 1.0; to keep 90 % of them is to keep all from 0.2 on, which
    # leaves out the distractors at 0.05 and 0.15 of four. What is wrong does not count.
    right = np.arange(1, 11) / 10
    confidence = np.concatenate([right, [0.05, 0.15, 0.5, 0.95, 0.01]])[np.newaxis]
    outcomes = np.array([[RIGHT] * 10 + [DISTRACTOR] * 4 + [WRONG]])
    for kept, expected in ((1.0, 0.25), (0.9, 0.5), (0.5, 0.75), (0.1, 0.75 + 0.25)):
        assert rejected_distractors(confidence, outcomes, kept) == pytest.approx(expected)


def test_episodes_without_distractors_have_no_share():
    outcomes = np.array([[RIGHT, WRONG], [DISTRACTOR, WRONG], [RIGHT, DISTRACTOR]])
    shares = rejected_distractors(np.full((3, 2), 0.5), outcomes, 0.95)
    np.testing.assert_array_equal(shares, [np.nan, np.nan, 0.0])


def test_reliability_worked_by_hand():
    confidence = np.array([0.88, 0.2, 0.9, 0.92])
    # 0.88 falls into 0.8..0.9, the others into 0.9..1.
    bins = reliability(confidence, np.array([RIGHT, WRONG, DISTRACTOR, RIGHT]))
    assert [b["right"] for b in bins] == [0, 1, 0.5]
    np.testing.assert_allclose([b["confidence"] for b in bins], [0.2, 0.88, 0.91])
    # 0.2 / 4 + 0.12 / 4 + 0.41 / 2.
    assert calibration_error(bins) == pytest.approx(0.05 + 0.03 + 0.205)


def test_what_is_as_sure_as_right_has_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(100_000)
    outcomes = np.where(rng.random(100_000) < confidence, RIGHT, DISTRACTOR)
    assert calibration_error(reliability(confidence, outcomes)) < 0.01
