"""The choice of a method's settings on episodes of validation classes."""

import contextlib
import gc
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.registry import words_of
from lst_tf2.adaptation.tunable import search_space, values_of, with_settings
from lst_tf2.config import SelfTrainingConfig, TuneConfig
from lst_tf2.errors import InputError, check
from lst_tf2.evaluation.calibrated import run_from_table
from lst_tf2.evaluation.climb import Values, climb
from lst_tf2.evaluation.confidence_fit import NAMES, calibrate_line
from lst_tf2.evaluation.piles import (
    KindRuns,
    Subject,
    embed_episodes,
    episodes_of,
    stages_of_run,
    subject_of_run,
)
from lst_tf2.evaluation.rejection import calibration_error, reliability
from lst_tf2.evaluation.report import PERCENT
from lst_tf2.evaluation.statistics import estimate
from lst_tf2.progress import Progress


class TrialResult(NamedTuple):
    """Holds what some settings find in the episodes of all kinds."""

    accuracies: np.ndarray  # [E], at the last step
    confidence: np.ndarray  # [n], of all unlabeled images
    outcomes: np.ndarray  # [n]


class Trial:
    """Runs a method with any settings on the same episodes; images are embedded once."""

    def __init__(self, config: TuneConfig, subject: Subject, stages: SelfTrainingConfig):
        self.learner, self.stages = subject.learner, stages
        self.episodes = {cell: episodes_of(config, cell) for cell in config.cells}
        self.table = embed_episodes(config, subject, self.episodes)
        self.known: dict[tuple, TrialResult] = {}

    def __call__(self, values: Values) -> TrialResult:
        """Returns what these settings find; raises `InputError` if they cannot be."""
        key = tuple(values.items())
        if key not in self.known:
            self.known[key] = self._run(with_settings(self.stages, values))
            gc.collect()  # The graphs of a try are cycles, and many.
        return self.known[key]

    def _run(self, stages: SelfTrainingConfig) -> TrialResult:
        runs = KindRuns(self.learner, stages)
        results = [
            result
            for cell, episodes in self.episodes.items()
            for result in run_from_table(runs.of(cell), self.table, episodes)
        ]
        return TrialResult(
            accuracies=np.array([result.final[-1] for result in results]),
            confidence=np.concatenate([result.confidence for result in results]),
            outcomes=np.concatenate([result.outcomes for result in results]),
        )


def tune(config: TuneConfig, subject: Subject | None = None) -> dict[str, Any]:
    """Chooses the settings of a method.

    Args:
        config: Method, episodes, and of which run.
        subject: A network in place of a run's.

    Returns:
        `before` and `after`, the settings by name, and `tried`, what was; `accuracy` and
        `calibration_error` before and after; the paired `gain`, and the number of `episodes`.

    Raises:
        InputError: If the data, the run or the method cannot be had, or nothing can be chosen.
    """
    stages, _ = stages_of_run(config, config.start())
    start, space = choices_of(stages)
    trial = Trial(config, subject or subject_of_run(config), stages)
    with without_retracing_notes():
        found = search(trial, start, space, config)
        before, after = trial(start), trial(found)
    piles = [(result.confidence, result.outcomes) for result in (before, after)]
    return {
        "before": start,
        "after": found,
        "tried": space,
        "accuracy": [estimate(result.accuracies) for result in (before, after)],
        "gain": estimate(after.accuracies - before.accuracies),
        "calibration_error": [calibration_error(reliability(*pile)) for pile in piles],
        "episodes": len(after.accuracies),
    }


@contextlib.contextmanager
def without_retracing_notes() -> Iterator[None]:
    """Keeps TensorFlow from warning of many graphs, as each try is one of its own."""
    logger = tf.get_logger()

    def is_other(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def choices_of(stages: SelfTrainingConfig) -> tuple[Values, dict[str, tuple]]:
    """Returns the settings to choose with their present values, and what to try of them.

    Beside these stand those that were given, so that a test goes by them too.
    """
    values, space = values_of(stages), search_space(stages)
    fitted = NAMES if is_calibrated(values) else ()
    check(
        bool(space or fitted),
        "a method whose settings say what to try: setting(..., search=(...))",
        stages.method,
        "choose another",
        "method",
    )
    names = dict.fromkeys((*space, *words_of(stages), *fitted))
    return {name: values[name] for name in names}, space


def search(trial: Trial, start: Values, space: dict[str, tuple], config: TuneConfig) -> Values:
    """Returns the chosen settings, whose confidence is a probability where they can do that.

    It is one from the start, as settings that are bounds of it are to be tried for what they
    say, and made one again in the end, as the others change it.
    """
    tries = config.passes * sum(map(len, space.values()))
    with Progress(f"tuning {config.method}", tries + 1) as progress:

        def evaluate(values: Values) -> np.ndarray:
            try:
                accuracies = trial(values).accuracies
                progress.advance(accuracy=accuracies.mean())
            except InputError:
                progress.advance()
                raise
            return accuracies

        found = climb(
            fit_confidence_scale(trial, start),
            space,
            evaluate,
            passes=config.passes,
            min_gain=config.min_gain / PERCENT,
        )
    return fit_confidence_scale(trial, found)


def is_calibrated(values: Values) -> bool:
    """Returns whether a method makes confidence by a slope and an offset."""
    return all(isinstance(values.get(name), float) for name in NAMES)


def fit_confidence_scale(trial: Trial, values: Values) -> Values:
    """Returns the settings with a slope and an offset that fit, where they have these."""
    if not is_calibrated(values):
        return values
    found = trial(values)
    return calibrate_line(values, found.confidence, found.outcomes)
