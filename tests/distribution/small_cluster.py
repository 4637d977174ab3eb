"""Several processes of one run on this machine, for tests."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]


def free_addresses(count):
    """Returns loopback addresses with ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [f"127.0.0.1:{server.getsockname()[1]}" for server in sockets]


def start(script, *arguments, cwd):
    """Starts a root script; what it prints goes into `cwd`."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(ROOT / script), *arguments]
    log = cwd / f"{pathlib.Path(script).name}.{time.monotonic_ns()}.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=file, stderr=file)
    process.log = log
    return process


def start_workers(script, *arguments, cwd, count=2):
    """Starts `count` workers on loopback; returns them and what each was called with."""
    workers = ",".join(free_addresses(count))
    flags = ["--distribution=multi_worker", f"--workers={workers}"]
    calls = [[*arguments, *flags, f"--worker_index={index}"] for index in range(count)]
    return [start(script, *call, cwd=cwd) for call in calls], calls


def finish(*processes, seconds=120):
    """Waits for processes that must end well; kills what does not end."""
    try:
        for process in processes:
            assert process.wait(seconds) == 0, process.log.read_text()
    finally:
        for process in processes:
            process.kill()
            process.wait()
