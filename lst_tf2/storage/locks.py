"""One writer for a folder: a lock of the system, which ends with the process that holds it."""

import contextlib
import datetime
import os
import pathlib
import platform
import sys
from collections.abc import Iterator

import filelock

from lst_tf2.errors import InputError
from lst_tf2.storage.files import read_json, remove_abandoned, write_json

LOCK_NAME, HOLDER_NAME = ".lock", ".lock_holder.json"


@contextlib.contextmanager
def held(folder: pathlib.Path, *, wait: bool = False) -> Iterator[None]:
    """Keeps other processes from writing to `folder`, and removes what killed ones left there.

    Args:
        folder: Made where there is none.
        wait: Wait until it is free, for folders that many runs share.

    Raises:
        InputError: If another process holds it; says which one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if not wait:
            raise InputError(
                f"Expected {folder} to be free, received one that {_holder(folder)} writes to; "
                "wait until that is done, stop it, or name another folder."
            ).about("exp_name", "pretrain_folder", "out") from None
        print(f"Waiting for {_holder(folder)}, which writes to {folder}", file=sys.stderr)
        lock.acquire()
    try:
        remove_abandoned(folder)  # First: it may be what fills the disk.
        write_json(folder / HOLDER_NAME, _ourselves())
        yield
    finally:
        lock.release()


def _ourselves() -> dict:
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "since": now}


def _holder(folder: pathlib.Path) -> str:
    try:
        told = read_json(folder / HOLDER_NAME, pid=int, host=str, since=str)
    except InputError:  # It has not written it yet, or not completely.
        return "another process"
    return f"process {told['pid']} on {told['host']} (since {told['since']})"
