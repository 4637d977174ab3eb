"""Where workers wait for each other before TensorFlow connects them.

TensorFlow waits by itself, but for an hour or for ever, deaf to an interrupt, and without
saying for whom. Here the first worker waits for all others at its own address.
"""

import contextlib
import select
import socket
import time
from collections.abc import Sequence

from lst_tf2.errors import InputError

GREETING = b"lst_tf2 worker %d of %d\n"
GO = b"go\n"
RETRY_SECONDS = 0.2


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of `host:port`.

    Raises:
        InputError: If it is not of that form.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise InputError(
            f"Expected workers as host:port,host:port, received {address!r}; mend that one."
        ).about("workers")
    return host, int(port)


def meet(workers: Sequence[str], index: int, wait_seconds: float) -> None:
    """Returns once all `workers` have called this, each with its own `index`.

    Raises:
        InputError: If one is missing after `wait_seconds`, or if this machine does not have
            the first worker's address.
    """
    deadline = time.monotonic() + wait_seconds
    if index == 0:
        _gather(workers, deadline, wait_seconds)
    elif not _report(workers, index, deadline):
        raise InputError(
            f"Expected the first worker to answer at {workers[0]} within {wait_seconds:g} s, got "
            "no answer; start it, and mind firewalls and the order of the workers."
        ).about("workers")


def _gather(workers: Sequence[str], deadline: float, wait_seconds: float) -> None:
    """Waits as the first worker, then tells all others to go on."""
    awaited = {GREETING % (i, len(workers)): i for i in range(1, len(workers))}
    present: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_listen(workers[0]))
        while len(present) < len(awaited):
            if not select.select([server], [], [], max(0, deadline - time.monotonic()))[0]:
                missing = [workers[i] for i in range(1, len(workers)) if i not in present]
                raise InputError(
                    f"Expected all {len(workers)} workers within {wait_seconds:g} s, missed "
                    f"{', '.join(missing)}; start them with the same workers, each with its "
                    "own worker_index."
                ).about("workers", "worker_index")
            connection = stack.enter_context(server.accept()[0])
            greeting = _read_line(connection)
            if greeting in awaited:  # The newest counts: a worker may have been started again.
                present[awaited[greeting]] = connection
        for connection in present.values():
            with contextlib.suppress(OSError):
                connection.sendall(GO)


def _listen(address: str) -> socket.socket:
    host, port = split_address(address)
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise InputError(
            f"Expected to listen at {address}, the first of the workers, received: {error}; name "
            "a free port of this machine, or mend worker_index."
        ).about("workers", "worker_index") from None


def _report(workers: Sequence[str], index: int, deadline: float) -> bool:
    """Waits as another worker; says whether the first one answered in time."""
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(split_address(workers[0]), timeout=left) as connection:
                connection.sendall(GREETING % (index, len(workers)))
                connection.settimeout(left)
                if connection.recv(len(GO)) == GO:
                    return True
        except OSError:
            pass  # Not there yet, or started again meanwhile.
        time.sleep(RETRY_SECONDS)
    return False


def _read_line(connection: socket.socket) -> bytes:
    """Returns what a caller says first; nothing where it is silent."""
    connection.settimeout(1.0)
    try:
        return connection.recv(256)
    except OSError:
        return b""
