"""Training that is killed and given again, against training that was never stopped."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from lst_tf2.runs.checkpoints import read_arrays, saved_steps
from tests.builders import write_data_set
from tests.cli.small_run import META, PRETRAIN
from tests.command_line import ROOT, assert_refused, run
from tests.faults import flip_bit

pytestmark = pytest.mark.slow

STEPS = 12
TRAIN = [
    *META,
    f"--metatrain_iterations={STEPS}",
    "--meta_print_step=1",
    "--meta_save_step=3",
    "--meta_val_print_step=2",
]


@pytest.fixture(scope="module", name="home")
def fixture_home(tmp_path_factory):
    """A folder with a backbone and the run `whole`, which was never stopped."""
    home = tmp_path_factory.mktemp("home")
    write_data_set(home / "data" / "letters", classes_per_split=4, images_per_pool=18)
    for arguments in (PRETRAIN, [*TRAIN, "--exp_name=whole"]):
        result = run("train.py", *arguments, cwd=home)
        assert result.returncode == 0, result.stderr
    return home


def start(home, name):
    """Starts the run `name` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *TRAIN, f"--exp_name={name}"],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_step(process, step):
    """Reads what a run prints until it has taken so many steps."""
    for line in process.stderr:
        if line.startswith(f"meta-train {step}/"):
            return
    pytest.fail("The run ended before.")


def steps_by_name(folder):
    """Returns the steps of the summaries of a run by name, as they lie there."""
    found = {}
    for path in sorted((folder / "logs").glob("events*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


def assert_like_whole(home, name):
    """The run `name` ended with the weights, the best and the curves of `whole`."""
    folder, whole = home / "checkpoints" / name, home / "checkpoints" / "whole"
    for file in (f"step_{STEPS}.npz", "best.npz"):
        found, expected = read_arrays(folder / file), read_arrays(whole / file)
        assert found.keys() == expected.keys()
        for array, value in expected.items():
            np.testing.assert_array_equal(found[array], value, err_msg=f"{file}: {array}")
    assert steps_by_name(folder) == steps_by_name(whole)
    assert not list(folder.glob("**/.*.tmp"))


def test_run_that_was_killed_and_ended_equals_one_never_stopped(home):
    process = start(home, "killed")
    wait_for_step(process, 5)
    process.kill()
    process.communicate()
    folder = home / "checkpoints" / "killed"
    assert saved_steps(folder) == [3]
    (folder / ".step_6.npz.abc.tmp").write_bytes(b"of a kill while it was written")

    process = start(home, "killed")
    wait_for_step(process, 7)
    process.terminate()
    _, told = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    *_, line = told.splitlines()
    assert line.startswith("Stopped after step ")
    assert line.endswith(f" of {STEPS}, which is saved; the same command goes on from there.")
    assert f"step {saved_steps(folder)[-1]} of" in line

    result = run("train.py", *TRAIN, "--exp_name=killed", cwd=home)
    assert result.returncode == 0, result.stderr
    assert_like_whole(home, "killed")


def test_validation_that_a_kill_prevented_is_made_up_for(home, monkeypatch):
    def interrupted(self, step, *_):
        if step == STEPS:
            os.kill(os.getpid(), signal.SIGINT)
        return validate(self, step, *_)

    from lst_tf2.training.meta_train import MetaTraining

    validate = MetaTraining.validate
    with monkeypatch.context() as patch:
        patch.setattr(MetaTraining, "validate", interrupted)
        result = run("train.py", *TRAIN, "--exp_name=unvalidated", cwd=home)
    assert result.returncode == 128 + signal.SIGINT
    folder = home / "checkpoints" / "unvalidated"
    assert saved_steps(folder)[-1] == STEPS
    assert STEPS not in steps_by_name(folder)["val/accuracy"]

    result = run("train.py", *TRAIN, "--exp_name=unvalidated", cwd=home)
    assert result.returncode == 0, result.stderr
    assert_like_whole(home, "unvalidated")
    result = run("train.py", *TRAIN, "--exp_name=unvalidated", cwd=home)
    assert result.stdout.startswith("Nothing to do")


def test_longer_run_goes_on_before_the_newest_checkpoint_where_that_is_damaged(home):
    folder = home / "checkpoints" / "damaged"
    short = [*TRAIN, "--metatrain_iterations=6", "--cache=none", "--exp_name=damaged"]
    assert run("train.py", *short, cwd=home).returncode == 0
    flip_bit(folder / "step_6.npz", 8 * 5000)
    result = run("train.py", *TRAIN, "--exp_name=damaged", cwd=home)
    assert result.returncode == 0, result.stderr
    assert "step_6.npz, received a damaged file" in result.stderr
    assert "meta-train 4/12" in result.stderr
    assert "meta-train 3/12" not in result.stderr
    assert (folder / "damaged_step_6.npz").exists()
    assert_like_whole(home, "damaged")


def test_second_run_in_a_folder_is_refused(home):
    process = start(home, "twice")
    wait_for_step(process, 2)
    try:
        for more in ([], ["--meta_lr=0.5", "--overwrite"]):
            result = run("train.py", *TRAIN, "--exp_name=twice", *more, cwd=home)
            assert_refused(result, f"process {process.pid} on ", "--exp_name")
    finally:
        process.kill()
        process.communicate()


def test_start_that_failed_does_not_block_its_name(home):
    flags = [*TRAIN, "--exp_name=failed"]
    failed = run("train.py", *flags, "--base_lr=1e30", cwd=home)
    texts = ["finite losses", "at step 1", "episode 0 of the train list", "--debug_episode"]
    assert_refused(failed, *texts)
    path = "checkpoints/failed/failed_step_1.npz"
    told = run("lst", "train", f"--debug_episode={path}", cwd=home)
    assert "The first value that is not finite: " in told.stdout, told
    result = run("train.py", *flags, cwd=home)
    assert result.returncode == 0, result.stderr
    assert_like_whole(home, "failed")
