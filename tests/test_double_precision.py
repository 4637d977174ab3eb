"""The golden tests in float64, where rounding hides nothing: a part of `make test-goldens`."""

import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.large

ROOT = pathlib.Path(__file__).parents[1]
SHORT = [
    "tests/models/test_forward_golden.py::test_features_and_logits_match[forward_a]",
    "tests/models/test_forward_golden.py::test_soft_weighting_scores_match[forward_a]",
    "tests/training/test_meta_step_golden.py::test_inner_loop_matches[a]",
]


def run_in_float64(*arguments):
    """Runs tests in a process of their own: what they replace in TensorFlow stays replaced."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.double_precision", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_forward_pass_and_inner_loop_are_the_original_s():
    result = run_in_float64(*SHORT)
    assert result.returncode == 0, result.stdout
    assert f"{len(SHORT)} passed" in result.stdout
