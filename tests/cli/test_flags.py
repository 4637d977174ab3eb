import json

import pytest

from lst_tf2.cli import flags
from lst_tf2.config import MetaTrainConfig, PretrainConfig
from lst_tf2.errors import InputError
from tests.cli.flag_values import TEST, TRAIN, parse


def test_defaults_are_those_of_the_original():
    train = flags.train_config(parse(TRAIN))
    assert isinstance(train, MetaTrainConfig)
    assert train.model.filters == (64, 128, 256, 512)
    assert train.model.image_size == 84
    assert train.adaptation.retrain_steps == 5
    assert train.adaptation.inner_steps == 20
    assert train.adaptation.inner_lr == 0.01
    assert train.optimizer.halve_every_steps == 1000
    assert train.train_list.episode.queries_per_class == 15
    assert train.val_list.episode.queries_per_class == 1
    assert train.train_list.num_episodes == 80000
    assert train.run_folder == "checkpoints/finetune_mini_RN"
    assert train.pretrained_path == "pretrain_weights/miniImagenet/step_14000.npz"
    test = flags.test_config(parse(TEST))
    assert test.self_training.num_stages == 4
    assert test.self_training.retrain_steps == 10
    assert test.self_training.steps_per_stage == 40
    assert test.self_training.inner_steps == 100
    assert test.self_training.selected_per_class == 20
    assert test.test_list.num_episodes == 600
    assert test.test_list.episode.num_distractor_classes == 0
    assert test.test_iter == "15000"
    assert test.protocol == "paper"


def test_rates_drop_at_multiples_of_both_intervals():
    values = parse(TRAIN, "--lr_drop_step=4", "--meta_val_print_step=6")
    config = flags.train_config(values)
    assert config.optimizer.halve_every_steps == config.swn_optimizer.halve_every_steps == 12


def test_pretraining_halves_without_floor_unless_told():
    config = flags.train_config(parse(TRAIN, "--phase=pre"))
    assert isinstance(config, PretrainConfig)
    assert config.optimizer.min_lr == 0
    assert config.optimizer.halve_every_steps == 5000
    stopped = flags.train_config(parse(TRAIN, "--phase=pre", "--pre_lr_stop"))
    assert stopped.optimizer.min_lr == 0.0001


def test_distractors_are_on_request():
    config = flags.test_config(parse(TEST, "--use_distractors", "--num_dis=5"))
    assert config.test_list.episode.num_distractor_classes == 5
    assert (
        flags.test_config(parse(TEST, "--num_dis=5")).test_list.episode.num_distractor_classes == 0
    )


def test_standard_protocol_asks_for_15_queries():
    for shot in (1, 5):
        values = parse(TEST, "--protocol=standard", f"--shot_num={shot}")
        assert flags.test_config(values).test_list.episode.queries_per_class == 15
        values = parse(TEST, f"--shot_num={shot}")
        assert flags.test_config(values).test_list.episode.queries_per_class == shot


def test_file_count_must_agree_with_the_images():
    flags.test_config(parse(TEST, "--unfiles_num=10"))
    with pytest.raises(InputError, match="nb_ul_samples / 10 = 10, received 3"):
        flags.test_config(parse(TEST, "--unfiles_num=3"))
    flags.train_config(parse(TRAIN, "--unfiles_num=1", "--nb_ul_samples=5"))  # Not read there.


def test_retired_flags_warn_with_what_replaces_them(caplog):
    flags.train_config(parse(TRAIN, "--device_id=1", "--gpu_rate=0.5"))
    text = " ".join(record.getMessage() for record in caplog.records)
    assert "--gpu_rate has no effect: memory is taken as needed" in text
    assert "--device_id" not in text
    assert "--metatrain" not in text


MULTI = "--distribution=multi_worker"


def test_workers_come_from_flags_or_from_the_environment(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert flags.train_config(parse(TRAIN)).distribution.kind == "none"
    flagged = parse(TEST, MULTI, "--workers=a:1,b:2", "--worker_index=1", "--worker_wait=5")
    given = flags.test_config(flagged).distribution
    assert (given.workers, given.worker_index, given.wait_seconds) == (("a:1", "b:2"), 1, 5)
    assert not given.is_chief
    cluster = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    for task, index in (("chief", 0), ("worker", 2)):
        settings = {"cluster": cluster, "task": {"type": task, "index": max(0, index - 1)}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(settings))
        read = flags.train_config(parse(TRAIN, MULTI)).distribution
        assert (read.workers, read.worker_index) == (("a:1", "b:2", "c:3"), index)
        assert read.is_chief == (index == 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--distribution=many"], "kind to be one of none, mirrored, multi_worker"),
        ([MULTI], "or TF_CONFIG in the environment, received \\[\\]"),
        ([MULTI, "--workers=a:1,a:1", "--worker_index=0"], "all different"),
        ([MULTI, "--workers=a:1,b:1"], "worker_index of 0 to 1, .*received -1"),
        (["--workers=a:1,b:1"], "no workers with none"),
        (["--phase=pre", "--distribution=mirrored"], "a divided batch would train another"),
    ],
)
def test_workers_that_do_not_fit_are_refused(arguments, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match=message):
        flags.train_config(parse(TRAIN, *arguments))


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": {}}', '{"cluster": {}, "task": 1}'])
def test_malformed_cluster_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="Expected TF_CONFIG with a cluster"):
        flags.train_config(parse(TRAIN, MULTI))
