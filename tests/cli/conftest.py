"""A folder with a small run, made once, and a copy for each module that asks for it."""

import os
import shutil

import filelock
import pytest

from tests.builders import write_data_set
from tests.cli.small_run import META, PRETRAIN, TEST
from tests.command_line import run_script


@pytest.fixture(scope="module", name="home")
def fixture_home(tmp_path_factory):
    """A folder in which all three commands ran once."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # All processes of the suite share what one has made.
    original = base / "small_run"
    with filelock.FileLock(f"{original}.lock"):
        if not original.exists():
            train(tmp_path_factory.mktemp("unfinished") / "home").rename(original)
    return shutil.copytree(original, tmp_path_factory.mktemp("home") / "home")


def train(home):
    """Pre-trains, meta-trains and tests in the new folder `home`, each in its own process."""
    write_data_set(home / "data" / "letters", classes_per_split=4, images_per_pool=18)
    for script, arguments in (("train.py", PRETRAIN), ("train.py", META)):
        result = run_script(script, *arguments, cwd=home)
        assert result.returncode == 0, result.stderr
        assert "tensorboard --logdir" in result.stdout
    (home / "next.txt").write_text(result.stdout.split("Next: ")[1])
    result = run_script("test.py", *TEST, "--test_iter=best", cwd=home)
    assert result.returncode == 0, result.stderr
    assert "paired gain, last step" in result.stdout
    return home
