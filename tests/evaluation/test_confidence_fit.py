import numpy as np
import pytest

from lst_tf2.evaluation.confidence_fit import calibrate_line, fit_logistic_line, sigmoid
from lst_tf2.evaluation.episode import DISTRACTOR, RIGHT, WRONG
from lst_tf2.evaluation.rejection import calibration_error, reliability


def test_two_scores_are_fitted_exactly():
    # Two parameters for two shares: 1 of 4 is right at score 0, 9 of 10 at score 2, so that
    # offset = logit(1/4) = -log 3 and offset + 2 slope = logit(9/10) = log 9.
    scores = np.repeat([0.0, 2.0], [4, 10])
    is_right = np.array([1, 0, 0, 0] + [1] * 9 + [0], bool)
    slope, offset = fit_logistic_line(scores, is_right)
    assert offset == pytest.approx(-np.log(3), abs=1e-5)
    assert slope == pytest.approx(np.log(27) / 2, abs=1e-5)  # (log 9 + log 3) / 2


def test_confidence_of_a_known_line_becomes_that_of_what_is_right():
    # With offset 1 and slope 2, scores -1 and 1 give confidence sigmoid(-1) and sigmoid(3); as
    # 1 of 5 and 4 of 5 are right, offset 0 and slope log 4 are.
    scores = np.repeat([-1.0, 1.0], 5)
    outcomes = np.array([RIGHT, WRONG, DISTRACTOR, WRONG, WRONG] + [RIGHT] * 4 + [DISTRACTOR])
    before = {"alpha": 0.5, "slope": 2.0, "offset": 1.0}
    confidence = sigmoid(1 + 2 * scores)
    after = calibrate_line(before, confidence.astype(np.float32), outcomes)
    assert after["alpha"] == 0.5
    assert after["offset"] == pytest.approx(0, abs=1e-3)
    assert after["slope"] == pytest.approx(np.log(4), abs=1e-3)
    calibrated = sigmoid(after["offset"] + after["slope"] * scores)
    assert calibration_error(reliability(confidence, outcomes)) > 0.05
    assert calibration_error(reliability(calibrated, outcomes)) < 1e-3


@pytest.mark.parametrize("outcome", [RIGHT, WRONG])
def test_extremes_give_finite_lines_or_none(outcome):
    before = {"slope": 1.0, "offset": 0.0}
    after = calibrate_line(before, np.array([0.0, 0.5, 1.0]), np.full(3, outcome))
    assert np.isfinite(list(after.values())).all()
    assert after["slope"] > 0


def test_line_that_falls_is_not_taken():
    before = {"slope": 1.0, "offset": 0.0}
    falling = np.array([RIGHT] * 9 + [WRONG] * 9)
    confidence = np.repeat([0.1, 0.9], 9)
    assert calibrate_line(before, confidence, falling) == before
