"""How a run ends on SIGTERM and Ctrl-C: at once, or after the step that it is in."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTED = "\nStopping after this step; Ctrl-C again stops at once.\n"
FORCED = "\nStopped at once; what was saved before is complete.\n"


class Interrupted(KeyboardInterrupt):
    """Signals the end of a run by a signal of number `signum`."""

    def __init__(self, signum: int, message: str = ""):
        super().__init__(message)
        self.signum = signum

    @property
    def status(self) -> int:
        """What the process exits with, by convention."""
        return 128 + self.signum


class TimeIsUp(Interrupted):
    """Signals the end of a run by its own limit of time."""

    status = 124  # That of `timeout`.

    def __init__(self, message: str):
        super().__init__(0, message)


class _State:
    """Holds what of signals concerns the whole process."""

    is_command = False  # Which may end as a whole.
    noted: list[int] = []  # noqa: RUF012 - there is one process


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Turns SIGTERM within the body into `Interrupted`, as Ctrl-C is `KeyboardInterrupt`."""

    def end(signum: int, _) -> None:
        raise Interrupted(signum)

    with _handlers({signal.SIGTERM: end}):
        was_command, _State.is_command = _State.is_command, True
        try:
            yield
        finally:
            _State.is_command = was_command


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Lets Ctrl-C end the process within the body, where TensorFlow waits deaf to Python."""
    with _handlers(dict.fromkeys(END_SIGNALS, signal.SIG_DFL)):
        yield


@contextlib.contextmanager
def finishing_steps() -> Iterator[None]:
    """Lets `end_signal` tell of signals within the body in place of ending it.

    A second Ctrl-C ends the process of a command even where TensorFlow computes; elsewhere it is
    a `KeyboardInterrupt`.
    """
    _State.noted.clear()

    def note(signum: int, _) -> None:
        if _State.noted and signum == signal.SIGINT and not _State.is_command:
            raise KeyboardInterrupt
        _State.noted.append(signum)

    with _handlers(dict.fromkeys(END_SIGNALS, note)) as are_set:
        try:
            with _second_interrupt() if are_set and _State.is_command else contextlib.nullcontext():
                yield
        finally:
            _State.noted.clear()


def end_signal() -> int:
    """Returns the signal that asked for the end since `finishing_steps` began, 0 for none."""
    return _State.noted[0] if _State.noted else 0


@contextlib.contextmanager
def _handlers(handlers: dict) -> Iterator[bool]:
    """Sets handlers of signals, where this is the thread that may; says whether it is."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return
    former = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield True
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def _second_interrupt() -> Iterator[None]:
    """Ends the process at the second Ctrl-C.

    Python calls handlers between its own instructions alone, minutes later where a step takes
    that long; what the system writes to a socket, a thread reads at once.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    former = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(reader,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        writer.close()  # Which ends the thread.
        thread.join()
        reader.close()


def _watch(reader: socket.socket) -> None:
    is_asked = False
    while signums := reader.recv(64):
        for signum in signums:
            if signum == signal.SIGINT and is_asked:
                os.write(sys.__stderr__.fileno(), FORCED.encode())
                os._exit(128 + signal.SIGINT)
            if signum == signal.SIGINT:
                os.write(sys.__stderr__.fileno(), NOTED.encode())
            is_asked = is_asked or signum in END_SIGNALS
