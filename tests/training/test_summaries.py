import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from lst_tf2.config import LoopConfig, PretrainConfig
from lst_tf2.errors import InputError
from lst_tf2.training.summaries import EVENT_FILES, Summaries
from tests.faults import files_of_at_most

CONFIG = PretrainConfig("data/x", "run", LoopConfig(10, 1, 1, 1))


def write(folder, begin, steps, redone=""):
    """Writes as a run does that goes on after step `begin`."""
    summaries = Summaries(folder)
    summaries.begin(begin, CONFIG, redone=redone)
    for step in steps:
        summaries.write_scalars(step, {"train/loss": float(step)})
        if step % 2 == 0:
            summaries.write_scalars(step, {"val/loss": float(step)})
            summaries.write_histogram(step, "val/weights", tf.zeros([3]))
    summaries.writer.close()


def steps_of(folder):
    """Returns the steps by name, as they lie there."""
    found = {}
    for path in sorted((folder / "logs").glob(EVENT_FILES)):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


def test_steps_stand_once_after_a_run_that_was_killed_past_its_checkpoint(tmp_path):
    write(tmp_path, 0, range(1, 8))
    write(tmp_path, 4, range(5, 10))
    write(tmp_path, 8, range(9, 11))
    found = steps_of(tmp_path)
    assert found["train/loss"] == list(range(1, 11))
    assert found["val/loss"] == found["val/weights"] == [2, 4, 6, 8, 10]
    assert found["settings"] == [0]


def test_run_that_begins_again_drops_all_of_the_one_before(tmp_path):
    write(tmp_path, 0, range(1, 4))
    write(tmp_path, 0, range(1, 3))
    assert steps_of(tmp_path)["train/loss"] == [1, 2]


def test_validation_that_is_done_again_stands_once(tmp_path):
    write(tmp_path, 0, range(1, 5))
    write(tmp_path, 4, [4], redone="val/")
    assert steps_of(tmp_path)["val/loss"] == [2, 4]


def test_cut_file_keeps_what_is_whole(tmp_path):
    write(tmp_path, 0, range(1, 5))
    (path,) = (tmp_path / "logs").glob(EVENT_FILES)
    path.write_bytes(path.read_bytes()[:-10])
    write(tmp_path, 3, [4])
    assert steps_of(tmp_path)["train/loss"] == [1, 2, 3, 4]


def test_full_disk_is_told_with_the_folder(tmp_path):
    summaries = Summaries(tmp_path)
    summaries.begin(0, CONFIG)
    with (
        files_of_at_most(0),
        pytest.raises(InputError, match="logs, received: File too large; make room"),
    ):
        summaries.write_scalars(1, {"loss": 1.0})
