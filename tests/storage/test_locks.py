import os
import pathlib
import platform
import subprocess
import sys

import pytest

from lst_tf2.errors import InputError
from lst_tf2.storage.files import SUFFIX, new_folder, new_text_file
from lst_tf2.storage.locks import held
from tests.faults import files_of_at_most

HOLDS = """
import pathlib, sys
from lst_tf2.storage.files import new_folder, new_text_file
from lst_tf2.storage.locks import held
folder = pathlib.Path(sys.argv[1])
with held(folder), new_folder(folder / "set"), new_text_file(folder / "file"):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(name="other")
def fixture_other(tmp_path):
    """Another process that holds `tmp_path` and is writing there."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=pathlib.Path(__file__).parents[1],
    )
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()


def temporaries(folder):
    return [path for path in folder.iterdir() if path.suffix == SUFFIX]


def test_second_is_refused_and_told_who_holds_it(other, tmp_path):
    expected = f"process {other.pid} on {platform.node()} .since .*writes to; wait"
    with pytest.raises(InputError, match=expected), held(tmp_path):
        pass


def test_lock_of_the_dead_is_taken_over_and_what_it_was_writing_goes(other, tmp_path):
    assert len(temporaries(tmp_path)) == 2
    other.kill()
    other.wait()
    with (
        new_folder(tmp_path / "ours"),
        new_text_file(tmp_path / "ours.txt"),
        held(tmp_path),
    ):
        ours = [path.name.split(".")[1] for path in temporaries(tmp_path)]
        assert ours == ["ours", "ours"]
        assert f'"pid": {os.getpid()}' in (tmp_path / ".lock_holder.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} >= {"ours", "ours.txt"}


def test_leftovers_go_even_where_the_disk_is_full(other, tmp_path):
    other.kill()
    other.wait()
    with files_of_at_most(0), pytest.raises(OSError, match="large"), held(tmp_path):
        pass
    assert temporaries(tmp_path) == []


def test_who_waits_gets_it_when_the_other_is_done(other, tmp_path, capsys):
    other.stdin.close()  # It ends.
    with held(tmp_path, wait=True):
        assert (tmp_path / "set").is_dir()
        assert (tmp_path / "file").is_file()
    told = capsys.readouterr().err
    assert not told or told.startswith(f"Waiting for process {other.pid} on {platform.node()} ")
