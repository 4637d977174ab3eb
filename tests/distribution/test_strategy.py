"""Two logical devices in one process, and two processes on loopback, against one device.

Also of `distribution/cluster.py` and `training/distributed_step.py`.
"""

import json
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lst_tf2.config import DistributionConfig
from lst_tf2.distribution.strategy import check_same_step, distribute
from lst_tf2.errors import InputError, LostWorkerError
from lst_tf2.evaluation.meta_test import meta_test
from lst_tf2.runs.checkpoints import read_arrays
from lst_tf2.training.meta_train import meta_train
from lst_tf2.training.pretrain import pretrain
from tests.builders import write_data_set
from tests.cli.flag_values import config_of
from tests.distribution.small_cluster import finish, free_addresses, start, start_workers

pytestmark = pytest.mark.large

STEPS = 40
MODEL = ["--dataset=letters", "--img_size=16", "--filters=4,8", "--pretrain_iterations=1"]
# Four episodes a step and a list of 26: steps run across its end, and workers get unlike shares.
META = [
    *("--way_num=3", "--nb_ul_samples=3", "--meta_batch_size=4", "--train_episode_num=26"),
    *("--meta_val_print_step=7", "--val_episode_num=2", "--meta_sum_step=1", "--meta_save_step=5"),
    *("--train_base_epoch_num=6", f"--metatrain_iterations={STEPS}", *MODEL),
]
TEST = [
    *("--way_num=3", "--nb_ul_samples=3", "--nums_in_folders=2", "--hard_selection=2"),
    *("--recurrent_stage_nums=2", "--local_update_num=4", "--re_train_epoch_num=2"),
    *("--test_base_epoch_num=5", "--test_episode_num=5", "--test_iter=last", *MODEL),
]


@pytest.fixture(scope="module", name="home")
def fixture_home(tmp_path_factory):
    """A folder with data, a backbone, and the run `one` of one worker."""
    home = tmp_path_factory.mktemp("home")
    write_data_set(home / "data" / "letters", classes_per_split=4, images_per_pool=18)
    pre = ["--phase=pre", "--pretrain_class_num=4", "--pretrain_batch_size=8", *MODEL]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        pretrain(config_of("pretrain", *pre))
        meta_train(config_of("train", "--exp_name=one", *META))
    return home


def scalars_of(run):
    """Returns all training scalars of a run, `[steps]` each, but for its pace."""
    events = EventAccumulator(str(run / "logs"), {"tensors": 0})
    events.Reload()
    return {
        tag: np.array([tf.make_ndarray(event.tensor_proto) for event in events.Tensors(tag)])
        for tag in events.Tags()["tensors"]
        if tag.startswith(("train/", "val/accuracy", "learning_rate/"))
    }


def assert_same_state(left, right):
    expected, actual = read_arrays(left), read_arrays(right)
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-6, err_msg=name)


def test_two_devices_take_the_steps_of_one(tmp_path):
    process = start("tests/distribution/two_devices.py", cwd=tmp_path)
    finish(process)
    differences = json.loads(process.log.read_text().splitlines()[-1])
    assert differences.pop("replicas") == 2
    assert differences.keys() == {"scalars", "gradients", "state", "episodes"}
    assert max(differences.values()) < 1e-6, differences


def test_two_workers_take_the_steps_of_one(home):
    workers, _ = start_workers("train.py", "--exp_name=two", *META, cwd=home)
    finish(*workers)
    one, two = home / "checkpoints" / "one", home / "checkpoints" / "two"
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    assert len(list((two / "logs").iterdir())) == 1  # The chief's alone.
    expected, actual = scalars_of(one), scalars_of(two)
    assert expected.keys() == actual.keys()
    assert len(expected["train/finetune_query_loss"]) == STEPS
    for name, values in expected.items():
        np.testing.assert_allclose(actual[name], values, rtol=1e-6, err_msg=name)
    for step in (5, STEPS):
        assert_same_state(one / f"step_{step}.npz", two / f"step_{step}.npz")


def test_run_goes_on_after_a_worker_was_killed(home):
    folder, one = home / "checkpoints" / "killed", home / "checkpoints" / "one"
    folder.mkdir()
    for name in ("config.json", "step_5.npz"):  # Two workers take up what one began.
        shutil.copy(one / name, folder / name)
    workers, calls = start_workers("train.py", "--exp_name=killed", *META, cwd=home)
    survivor, killed = workers
    deadline = time.monotonic() + 60
    while not (folder / "step_10.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert survivor.wait(60) == LostWorkerError.status == 75
    assert "lost one of them" in survivor.log.read_text().splitlines()[-1]
    assert not (folder / f"step_{STEPS}.npz").exists()
    finish(*(start("train.py", *call, cwd=home) for call in calls))
    assert_same_state(one / f"step_{STEPS}.npz", folder / f"step_{STEPS}.npz")


def test_worker_that_waits_alone_ends_at_ctrl_c(home):
    address = free_addresses(2)
    flags = ["--distribution=multi_worker", f"--workers={','.join(address)}", "--worker_index=0"]
    process = start("train.py", "--exp_name=alone", *META, *flags, cwd=home)
    deadline = time.monotonic() + 60
    while "Waiting for all of" not in process.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)  # It has begun to wait.
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    assert not (home / "checkpoints" / "alone").exists()


def test_two_workers_share_a_meta_test(home, monkeypatch):
    monkeypatch.chdir(home)
    summary, curves = meta_test(config_of("test", "--exp_name=one", *TEST))
    workers, _ = start_workers("test.py", "--exp_name=one", *TEST, cwd=home)
    finish(*workers)
    (path,) = (home / "checkpoints" / "one").glob("results_*.json")
    assert json.loads(path.read_text()) == json.loads(json.dumps(summary))
    merged = read_arrays(path.with_suffix(".npz"))
    for name, values in curves.items():
        np.testing.assert_array_equal(merged[name], values, err_msg=name)


def test_shares_cover_every_episode_once():
    workers = ("a:1", "b:1", "c:1")
    lists, batches = [], []
    for index in range(3):
        distribution = distribute(DistributionConfig())
        distribution.num_replicas, distribution.num_workers = 3, len(workers)
        distribution.worker_index = index
        lists.append(list(distribution.share_of_list(7)))
        batches += distribution.share_of_batch(6)
    assert lists == [[0, 3, 6], [1, 4], [2, 5]]
    assert batches == list(range(6))
    with pytest.raises(InputError, match="multiple of the 3 replicas, received 4"):
        distribution.share_of_batch(4)
    with pytest.raises(InputError, match="each of 3 workers, received 2"):
        distribution.share_of_list(2)


def test_workers_with_other_checkpoints_are_refused():
    check_same_step(np.array([5, 5]))
    with pytest.raises(InputError, match=r"same step \(the chief: 5\), received \[5, 0\]"):
        check_same_step(np.array([5, 0]))
