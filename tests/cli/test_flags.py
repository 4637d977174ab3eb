"""Tests of flags: `cli/flag_rows.py`, `cli/flag_tables.py`, `cli/idle_flags.py`,
`cli/run_configs.py`.
"""

import dataclasses
import json

import pytest

from lst_tf2.cli import run_configs
from lst_tf2.cli.flag_tables import PRETRAIN_SETTINGS, TEST_SETTINGS, TRAIN_SETTINGS
from lst_tf2.cli.idle_flags import note_idle_flags
from lst_tf2.config import MetaTrainConfig, PretrainConfig
from lst_tf2.errors import InputError
from tests.cli.flag_values import config_of, parse


def test_defaults_are_those_of_the_original():
    train = config_of("train")
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
    test = config_of("test")
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
    values = parse("train", "--lr_drop_step=4", "--meta_val_print_step=6")
    config = run_configs.train_config(values)
    assert config.optimizer.halve_every_steps == config.swn_optimizer.halve_every_steps == 12


def test_pretraining_halves_without_floor_unless_told():
    config = config_of("pretrain")
    assert isinstance(config, PretrainConfig)
    assert config.optimizer.min_lr == 0
    assert config.optimizer.halve_every_steps == 5000
    stopped = config_of("pretrain", "--pre_lr_stop")
    assert stopped.optimizer.min_lr == 0.0001


def test_distractors_are_on_request():
    config = config_of("test", "--use_distractors", "--num_dis=5")
    assert config.test_list.episode.num_distractor_classes == 5
    assert config_of("test", "--num_dis=5").test_list.episode.num_distractor_classes == 0


def test_training_episodes_alone_have_distractors_of_training():
    config = config_of("train", "--train_num_dis=2")
    assert config.train_list.episode.num_distractor_classes == 2
    assert config.val_list.episode.num_distractor_classes == 0
    assert config == dataclasses.replace(config_of("train"), train_list=config.train_list)
    with pytest.raises(InputError, match="num_distractor_classes of at least 0, received -1"):
        config_of("train", "--train_num_dis=-1")


def test_standard_protocol_asks_for_15_queries():
    for shot in (1, 5):
        values = parse("test", "--protocol=standard", f"--shot_num={shot}")
        assert run_configs.test_config(values).test_list.episode.queries_per_class == 15
        values = parse("test", f"--shot_num={shot}")
        assert run_configs.test_config(values).test_list.episode.queries_per_class == shot


def test_file_count_must_agree_with_the_images():
    config_of("test", "--unfiles_num=10")
    with pytest.raises(InputError, match="nb_ul_samples / 10 = 10, received 3"):
        config_of("test", "--unfiles_num=3")
    config_of("train", "--unfiles_num=1", "--nb_ul_samples=5")  # Not read there.


def test_pretraining_is_not_divided():
    with pytest.raises(InputError, match="a divided batch would train another"):
        config_of("pretrain", "--distribution=mirrored")


def test_retired_flags_warn_with_what_replaces_them(capsys):
    values = parse("train", "--device_id=1", "--gpu_rate=0.5")
    note_idle_flags(values, TRAIN_SETTINGS, "meta-training")
    text = "warning: --gpu_rate has no effect: memory is taken as needed.\n"
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    ("command", "words", "told"),
    [
        ("train", ["--unfiles_num=7", "--hard_selection=3"], "meta-training does not read "
         "--hard_selection, --unfiles_num."),
        ("test", ["--selection=none", "--hard_selection=7"], "--hard_selection has no effect: "
         "--selection=none keeps all images."),
        ("test", ["--num_dis=5"], "--num_dis has no effect: only --use_distractors adds such "
         "classes."),
        ("test", ["--hard_selection=50", "--nums_in_folders=15"], "--hard_selection=50 keeps all "
         "of the --nums_in_folders=15 images that a stage looks at."),
        ("train", ["--train_hard_selection=7"], "--train_hard_selection has no effect: "
         "--train_selection=none keeps all images."),
        ("pretrain", ["--min_pre_lr=1e-5"], "--min_pre_lr has no effect: only --pre_lr_stop stops "
         "at it."),
        ("train", ["--meta_val_print_step=0", "--val_episode_num=7"], "--val_episode_num has no "
         "effect: nothing is validated."),
    ],
)  # fmt: skip
def test_flags_that_change_nothing_are_noted(command, words, told, capsys):
    settings = {"train": TRAIN_SETTINGS, "test": TEST_SETTINGS, "pretrain": PRETRAIN_SETTINGS}
    tasks = {"train": "meta-training", "test": "the test", "pretrain": "pre-training"}
    note_idle_flags(parse(command, *words), settings[command], tasks[command])
    assert capsys.readouterr().err == f"note: {told}\n"
    published = parse(command, "--pretrain_class_num=64")
    note_idle_flags(published, settings[command], tasks[command])
    assert capsys.readouterr().err == ""


MULTI = "--distribution=multi_worker"


def test_workers_come_from_flags_or_from_the_environment(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert config_of("train").distribution.kind == "none"
    flagged = parse("test", MULTI, "--workers=a:1,b:2", "--worker_index=1")
    given = run_configs.test_config(flagged).distribution
    assert (given.workers, given.worker_index) == (("a:1", "b:2"), 1)
    assert not given.is_chief
    cluster = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    for task, index in (("chief", 0), ("worker", 2)):
        settings = {"cluster": cluster, "task": {"type": task, "index": max(0, index - 1)}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(settings))
        read = config_of("train", MULTI).distribution
        assert (read.workers, read.worker_index) == (("a:1", "b:2", "c:3"), index)
        assert read.is_chief == (index == 0)


@pytest.mark.parametrize("rank", [0, 2])
def test_workers_of_a_step_of_slurm_are_found(rank, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    step = {"STEP_NUM_TASKS": "3", "STEP_NODELIST": "n[1-2]", "STEP_TASKS_PER_NODE": "2,1"}
    for name, value in {**step, "PROCID": str(rank)}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    read = config_of("train", MULTI).distribution
    assert read.workers == ("n1:8888", "n1:8889", "n2:8888")
    assert read.worker_index == rank


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--distribution=many"], "kind to be one of none, mirrored, multi_worker"),
        ([MULTI], "as TF_CONFIG or by Slurm, received \\[\\]"),
        ([MULTI, "--workers=a:1,a:1", "--worker_index=0"], "all different"),
        ([MULTI, "--workers=a,b:1", "--worker_index=0"], "host:port,host:port, .*received"),
        ([MULTI, "--workers=a:1,b:1"], "worker_index of 0 to 1, .*received -1"),
        (["--workers=a:1,b:1"], "no workers with none"),
    ],
)
def test_workers_that_do_not_fit_are_refused(arguments, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match=message):
        config_of("train", *arguments)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {}}',
        '{"cluster": {}, "task": 1}',
    ],
)
def test_malformed_cluster_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"Expected a cluster of workers.* in TF_CONFIG"):
        config_of("train", MULTI)
