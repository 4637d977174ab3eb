import math
import os
import signal

import pytest

from lst_tf2.errors import InputError, LostWorkerError
from lst_tf2.progress import Progress
from lst_tf2.stopping import Interrupted, TimeIsUp
from lst_tf2.training.loop import Every, run_steps


def test_actions_run_when_due_and_after_the_last_step():
    calls = []
    with Progress("count", 7, start=2) as progress:
        run_steps(
            lambda step, batch: {"loss": step + batch},
            iter([10, 20, 30, 40, 50]),
            range(2, 7),
            [Every(2, lambda step, scalars: calls.append((step, scalars["loss"])))],
            progress,
        )
    assert calls == [(4, 23.0), (6, 45.0), (7, 56.0)]
    assert progress.done == 7


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_before_the_actions(value):
    calls = []
    with (
        Progress("count", 3) as progress,
        pytest.raises(InputError, match=f"received {value} at step 2; nothing of this step"),
    ):
        run_steps(
            lambda step, _: {"retrain_query_loss": value if step else 1.0},
            iter(range(3)),
            range(3),
            [Every(1, lambda step, _: calls.append(step))],
            progress,
        )
    assert calls == [1]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_run_after_its_step_which_is_saved(signum):
    calls = []

    def step_fn(step, _):
        if step == 1:
            os.kill(os.getpid(), signum)
        return {"loss": 1.0}

    actions = [
        Every(1, lambda step, _: calls.append(("write", step))),
        Every(5, lambda step, _: calls.append(("save", step)), at_stop=True),
    ]
    with (
        Progress("count", 9) as progress,
        pytest.raises(Interrupted, match="Stopped after step 2 of 9, which is saved") as info,
    ):
        run_steps(step_fn, iter(range(9)), range(9), actions, progress)
    assert info.value.signum == signum
    assert calls == [("write", 1), ("write", 2), ("save", 2)]


def test_signal_during_the_last_action_ends_the_run_after_the_next_step():
    calls = []

    def save(step, _):
        calls.append(step)
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with Progress("count", 9) as progress, pytest.raises(Interrupted):
        run_steps(
            lambda *_: {"loss": 1.0},
            iter(range(9)),
            range(9),
            [Every(1, save, at_stop=True)],
            progress,
        )
    assert calls == [1, 2]


def test_lost_worker_is_no_reason_to_begin_again_where_the_run_is_to_end():
    def step_fn(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        raise LostWorkerError("gone")

    with Progress("count", 9) as progress, pytest.raises(Interrupted):
        run_steps(step_fn, iter(range(9)), range(9), [], progress)


def test_plain_lines_where_stderr_is_no_terminal(capsys):
    with Progress("meta-train", 4, print_every=2) as progress:
        for step in range(4):
            progress.advance(loss=step / 3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" [")[0] for line in lines] == [
        "meta-train 2/4 loss=0.3333",
        "meta-train 4/4 loss=1",
    ]
    assert all("/s, " in line and line.endswith("left]") for line in lines)


def test_pace_leaves_pauses_out(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("lst_tf2.progress.time.monotonic", lambda: clock[0])
    with Progress("count", 10) as progress:
        clock[0] = 2.0
        progress.advance()
        with progress.pause():
            clock[0] = 100.0
        progress.advance()
        assert progress.lap_pace() == 1.0
        clock[0] = 100.5
        progress.advance()
        assert progress.lap_pace() == 2.0


def test_wait_for_data_is_measured_per_step_and_shown_where_it_is_long(monkeypatch, capsys):
    clock, waits = [0.0], []
    monkeypatch.setattr("lst_tf2.progress.time.monotonic", lambda: clock[0])

    def batches():
        for seconds in (1.0, 3.0, 0.0, 0.1):
            clock[0] += seconds
            yield None

    def step_fn(step, _):
        clock[0] += 1 if step < 3 else 95
        return {"loss": 1.0}

    with Progress("count", 4) as progress:
        action = Every(2, lambda *_: waits.append(progress.lap_wait()))
        run_steps(step_fn, batches(), range(4), [action], progress)
    assert waits == pytest.approx([2.0, 0.05])
    lines = capsys.readouterr().err.splitlines()
    shown = [line.partition("data_wait=")[2].split(" ")[0] for line in lines]
    assert shown == ["50%", "67%", "57%", ""]


def test_time_limit_ends_the_run_after_its_step_with_a_plan(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def step_fn(*_):
        clock[0] += 4.0
        return {"loss": 1.0}

    plan = r"step 2 of 9, which is saved; .* 7 steps .* take about 00:28 .*: 5 more such runs"
    actions = [Every(100, lambda step, _: calls.append(step), at_stop=True)]
    with Progress("count", 9) as progress, pytest.raises(TimeIsUp, match=plan) as info:
        run_steps(step_fn, iter(range(9)), range(9), actions, progress, 6.0)
    assert calls == [2]
    assert info.value.status == 124
    with Progress("count", 9, start=7) as progress:  # The last step is the end in any case.
        run_steps(step_fn, iter(range(2)), range(7, 9), actions, progress, 6.0)
    assert calls == [2, 9]


def test_actions_run_again_where_seconds_have_passed(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def step_fn(*_):
        clock[0] += 2.0
        return {"loss": 1.0}

    actions = [Every(4, lambda step, _: calls.append(step), seconds=5.0)]
    with Progress("count", 9) as progress:
        run_steps(step_fn, iter(range(9)), range(9), actions, progress)
    assert calls == [3, 4, 7, 8, 9]
