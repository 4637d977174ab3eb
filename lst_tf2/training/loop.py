"""The training loop: steps, and what is done every so many of them."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lst_tf2.errors import InputError, LostWorkerError
from lst_tf2.progress import Progress
from lst_tf2.stopping import Interrupted, end_signal, finishing_steps


class Every(NamedTuple):
    """Runs `action(step, scalars)` after every `steps` steps and after the last.

    With `at_stop` also after the step in which a signal ends the run.
    """

    steps: int
    action: Callable[[int, dict[str, float]], Any]
    at_stop: bool = False


def is_due(every_steps: int, step: int, last: int) -> bool:
    """Returns whether what is done every so many steps is due after `step` steps of `last`."""
    return step % every_steps == 0 or step == last


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
        Interrupted: If a signal asked for the end, after the step and what it has to save.
    """
    with finishing_steps():
        for step, batch in zip(steps, progress.time_waits(batches), strict=True):
            try:
                scalars = {name: float(value) for name, value in step_fn(step, batch).items()}
            except LostWorkerError:
                if signum := end_signal():  # The other processes were ended as this one is to be.
                    raise Interrupted(signum) from None
                raise
            done = step + 1
            check_finite(done, scalars)
            progress.advance(**{n: value for n, value in scalars.items() if "norm" not in n})
            with progress.pause():
                signum = _run_actions(actions, done, steps.stop, scalars)
            if signum:
                raise Interrupted(
                    signum,
                    f"Stopped after step {done} of {steps.stop}, which is saved; the same command "
                    "goes on from there.",
                )


def _run_actions(actions: list[Every], done: int, last: int, scalars: dict[str, float]) -> int:
    """Returns the signal that was there before the last action, 0 for none."""
    signum = end_signal()
    for every in actions:
        signum = end_signal()
        if is_due(every.steps, done, last) or (signum and every.at_stop):
            every.action(done, scalars)
    return signum
