"""The training loop: steps, and what is done every so many of them."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tqdm import tqdm

from lst_tf2.errors import InputError, LostWorkerError
from lst_tf2.progress import Progress
from lst_tf2.stopping import Interrupted, TimeIsUp, end_signal, finishing_steps


class Every(NamedTuple):
    """Runs `action(step, scalars)` after every `steps` steps and after the last.

    Also where `seconds` have passed since it ran, and with `at_stop` after the step in which a
    signal or a limit of time ends the run.
    """

    steps: int
    action: Callable[[int, dict[str, float]], Any]
    at_stop: bool = False
    seconds: float = math.inf


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
    limit_seconds: float = math.inf,
) -> None:
    """Calls `step_fn(step, batch)` for each of `steps` and then the actions that are due.

    Args:
        step_fn: Takes a step and returns its scalars by name: losses, norms, accuracies.
        batches: What each step is given, as many as there are steps.
        steps: Numbers of the steps from 0; the last of all is `steps.stop - 1`.
        actions: What is done between steps, in this order.
        progress: Shows the scalars and counts the steps.
        limit_seconds: Time after which the run saves and ends; by default none.

    Raises:
        InputError: If a loss is not finite; that step's actions do not run.
        Interrupted: If a signal asked for the end, or the time is up, after the step and what it
            has to save.
    """
    end_at = time.monotonic() + limit_seconds
    schedule = _Schedule(actions, steps.stop)
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
            is_time_up = time.monotonic() >= end_at and done < steps.stop
            with progress.pause():
                signum = schedule.run(done, scalars, is_time_up=is_time_up)
            if signum:
                raise Interrupted(signum, f"Stopped {_rest(progress)}.")
            if is_time_up:
                raise TimeIsUp(f"The time is up {_plan(progress, limit_seconds)}.")


def _rest(progress: Progress) -> str:
    return (
        f"after step {progress.done} of {progress.total}, which is saved; the same command goes "
        "on from there"
    )


def _plan(progress: Progress, limit_seconds: float) -> str:
    """Returns what is left to do, and how long that takes at the pace so far."""
    left = progress.total - progress.done
    seconds = left / progress.steps_per_second()
    runs = math.ceil(seconds / max(limit_seconds, 1.0))
    return (
        f"{_rest(progress)}. The {left} steps that are left take about "
        f"{tqdm.format_interval(seconds)} at this pace: {runs} more such run{'s' * (runs > 1)}"
    )


class _Schedule:
    """Runs actions when they are due."""

    def __init__(self, actions: list[Every], last: int):
        self.actions, self.last = actions, last
        self.ran_at = [time.monotonic()] * len(actions)

    def run(self, done: int, scalars: dict[str, float], *, is_time_up: bool) -> int:
        """Returns the signal that was there before the last action, 0 for none."""
        signum = end_signal()
        for place, every in enumerate(self.actions):
            signum = end_signal()
            is_late = time.monotonic() - self.ran_at[place] >= every.seconds
            is_end = (signum or is_time_up) and every.at_stop
            if is_due(every.steps, done, self.last) or is_late or is_end:
                every.action(done, scalars)
                self.ran_at[place] = time.monotonic()
        return signum
