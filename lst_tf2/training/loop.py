"""The training loop: steps, and what is done every so many of them."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lst_tf2.errors import InputError
from lst_tf2.progress import Progress


class Every(NamedTuple):
    """Runs `action(step, scalars)` after every `steps` steps and after the last."""

    steps: int
    action: Callable[[int, dict[str, float]], None]


def check_finite(step: int, scalars: dict[str, float]) -> None:
    """Raises `InputError` if a loss or gradient norm of step `step` is not finite."""
    for name, value in scalars.items():
        if not math.isfinite(value):
            raise InputError(
                f"Expected a finite {name}, received {value} at step {step}; nothing of this step "
                "was saved. Lower the learning rates or go on from an earlier checkpoint."
            ).about("inner_lr", "initial_lr")


def run_steps(
    step_fn: Callable[[int, Any], dict],
    batches: Iterable,
    steps: range,
    actions: list[Every],
    progress: Progress,
) -> None:
    """Calls `step_fn(step, batch)` for each of `steps` and then the actions that are due.

    Raises:
        InputError: If a loss is not finite; that step's actions do not run.
    """
    for step, batch in zip(steps, progress.time_waits(batches), strict=True):
        scalars = {name: float(value) for name, value in step_fn(step, batch).items()}
        done = step + 1
        check_finite(done, scalars)
        progress.advance(**{n: value for n, value in scalars.items() if "norm" not in n})
        due = [every for every in actions if done % every.steps == 0 or done == steps.stop]
        for every in due:
            with progress.pause():
                every.action(done, scalars)
