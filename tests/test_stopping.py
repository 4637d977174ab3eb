import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from lst_tf2.stopping import Interrupted, end_signal, ending_on_signals, finishing_steps

ROOT = pathlib.Path(__file__).parents[1]
# A step in C, as those of TensorFlow: no handler written in Python runs before its end.
LONG_STEP = """
import ctypes
from lst_tf2.stopping import ending_on_signals, finishing_steps
library = ctypes.CDLL(None)
with ending_on_signals():
    with ending_on_signals():  # `lst` and the command that it names.
        pass
    with finishing_steps():
        print("ready", flush=True)
        for _ in range(60):
            library.usleep(500_000)
print("went on", flush=True)
"""


def send(signum):
    os.kill(os.getpid(), signum)


def test_sigterm_ends_the_body_at_once():
    with pytest.raises(Interrupted) as info, ending_on_signals():
        send(signal.SIGTERM)
    assert info.value.signum == signal.SIGTERM


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_noted_while_steps_are_finished(signum):
    former = signal.getsignal(signum)
    with finishing_steps():
        assert end_signal() == 0
        send(signum)
        assert end_signal() == signum
        send(signal.SIGTERM)
        assert end_signal() == signum
    assert end_signal() == 0
    assert signal.getsignal(signum) is former


def test_second_interrupt_is_not_noted_where_no_command_runs():
    with finishing_steps():
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_other_threads_leave_signals_alone():
    def run():
        with ending_on_signals(), finishing_steps():
            found.append(end_signal())

    found = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [0]


def test_second_interrupt_ends_a_command_within_its_step():
    process = subprocess.Popen(
        [sys.executable, "-c", LONG_STEP],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline().startswith("Stopping after this step; Ctrl-C again")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "Stopped at once; what was saved before is complete."
