"""The command line, each script through one real step in a folder of its own.

Also of `cli/tensorflow_run.py`, `cli/test.py`, `cli/train.py`, `training/meta_train.py`,
`training/pretrain.py` and `evaluation/meta_test.py`.
"""

import json
import os
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.cli.small_run import FRONT_PAGE_TEST, FRONT_PAGE_TRAIN, META, PRETRAIN, TEST
from tests.command_line import assert_refused, run, run_script
from tests.faults import visible
from tests.tf1_graph import small_groups, write_npy_files

pytestmark = pytest.mark.slow


def new_results(folder, *, before=()):
    """Stems of the files of results that are there now."""
    return {path.stem for path in folder.glob("results_*.json")} - set(before)


def test_scripts_write_what_they_say(home):
    names = {path.name for path in visible(home / "checkpoints" / "small")}
    (results,) = new_results(home / "checkpoints" / "small")
    assert results.startswith("results_3way_1shot_0distractors_lst_")
    assert names == {
        "config.json",
        "logs",
        "step_2.npz",
        "best.npz",
        *(f"{results}.{suffix}" for suffix in ("json", "csv", "png", "npz")),
    }
    summary = json.loads((home / "checkpoints" / "small" / f"{results}.json").read_text())
    assert summary["test_step"] in (1, 2)
    assert summary["episodes"] == 2
    assert summary["queries_per_class"] == 1
    assert len(summary["per_stage"]) == 2
    assert len(summary["per_step"]) == 5


def test_each_split_was_packed_once(home):
    names = [path.name for path in visible(home / "data" / "letters" / "image_cache")]
    assert sorted(name.rpartition("_")[0] for name in names) == [
        "test_16px",
        "train_16px",
        "val_16px",
    ]


def test_printed_next_command_runs(home):
    script, name, *arguments = shlex.split((home / "next.txt").read_text())
    assert (script, name) == ("lst", "test")
    result = run(script, name, *arguments, "--test_episode_num=1", cwd=home)
    assert result.returncode == 0, result.stderr


def test_summaries_hold_scalars_histograms_text_and_hparams(home):
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(home / "checkpoints" / "small" / "logs"))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert tags >= {
        "train/retrain_query_loss",
        "train/finetune_query_loss",
        "train/accuracy",
        "train/pseudo_label_accuracy",
        "val/accuracy",
        "val/finetune_query_loss",
        "val/soft_weights",
        "learning_rate/meta",
        "learning_rate/swn",
        "speed/episodes_per_second",
        "speed/data_wait_seconds",
        "settings",
    }
    assert [event.step for event in events.Tensors("train/accuracy")] == [1, 2]
    assert "_hparams_/session_start_info" in events.summary_metadata
    events = EventAccumulator(str(home / "pretrain_weights" / "letters" / "logs"))
    events.Reload()
    (wait,) = events.Tensors("speed/data_wait_seconds")
    assert wait.step == 2
    assert tf.make_ndarray(wait.tensor_proto) > 0


def test_test_with_distractors_in_both_protocols(home):
    folder = home / "checkpoints" / "small"
    for protocol, queries in (("paper", 1), ("standard", 15)):
        before = new_results(folder)
        result = run(
            "test.py",
            *TEST,
            "--test_iter=last",
            "--use_distractors",
            "--num_dis=1",
            f"--protocol={protocol}",
            cwd=home,
        )
        assert result.returncode == 0, result.stderr
        (stem,) = new_results(folder, before=before)
        summary = json.loads((folder / f"{stem}.json").read_text())
        assert stem.startswith("results_3way_1shot_1distractors_lst_")
        assert summary["queries_per_class"] == queries
        assert summary["num_distractor_classes"] == 1


def test_no_test_overwrites_the_results_of_another(home):
    folder = home / "checkpoints" / "apart"
    shutil.copytree(home / "checkpoints" / "small", folder)
    for path in folder.glob("results_*"):
        path.unlink()
    os.symlink(home / "data" / "letters", home / "data" / "other")
    start = f"--finetune_w_path={folder / 'step_2.npz'}"
    tests = (
        ["--test_iter=0"],
        ["--test_iter=0", "--meta_finetune", start],
        ["--test_iter=2"],
        ["--test_iter=2", "--dataset=other"],
        ["--test_iter=2", "--dataset=other"],
    )
    steps = ("re_train_epoch_num", "local_update_num", "test_base_epoch_num")
    short = ["--recurrent_stage_nums=1", *(f"--{name}=1" for name in steps)]
    counts = []
    for arguments in tests:
        result = run("test.py", *TEST, *short, "--exp_name=apart", *arguments, cwd=home)
        assert result.returncode == 0, result.stderr
        counts.append(len(new_results(folder)))
    assert counts == [1, 2, 3, 4, 4]
    result = run("lst", "report", "checkpoints/apart", cwd=home)
    head = result.stdout.split("support only")[0].split()
    assert (head.count("letters"), head.count("other")) == (3, 1)
    assert (head.count("test_iter=0"), head.count("test_iter=2")) == (2, 2)
    assert any(word.startswith("finetune_path=") for word in head)


def test_run_that_is_done_says_so(home):
    result = run("train.py", *PRETRAIN, cwd=home)
    assert result.returncode == 0, result.stderr
    assert "Nothing to do: pretrain_weights/letters/step_2.npz is there" in result.stdout


def test_other_settings_need_overwrite(home):
    result = run("train.py", *META, "--meta_lr=0.5", "--base_lr=0.1", cwd=home)
    assert result.returncode == 1
    assert "adaptation.inner_lr: 0.01 there, 0.1 now" in result.stderr
    assert "optimizer.initial_lr: 0.001 there, 0.5 now" in result.stderr
    assert "--overwrite" in result.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "texts"),
    [
        ("train.py", [*META, "--dataset=nothing"], ["data/nothing", "found no folder"]),
        ("train.py", [*META, "--way_num=9"], ["at most 4 classes", "way=9", "--way_num"]),
        (
            "train.py",
            [*META, "--train_num_dis=2"],
            ["at most 4 classes", "way=3 and 2 distractor classes", "--train_num_dis"],
        ),
        ("train.py", [*META, "--nb_ul_samples=99"], ["at least 99 images", "received 18"]),
        ("train.py", [*META, "--exp_name=../x"], ["(--exp_name)", "without slashes"]),
        ("train.py", [*META, "--pretrain_iterations=7"], ["step_7.npz", "saved steps there: 2"]),
        ("train.py", [*META, "--filters=4,9"], ["filters", "repeat its settings", "--filters"]),
        ("train.py", [*META, "--filters=4,x"], ["whole numbers", "filters"]),
        (
            "train.py",
            [*META, "--cache=disk"],
            ["cache to be one of none, ram", "'disk'", "--cache"],
        ),
        (
            "train.py",
            [*META, "--activation=tanh"],
            ["leaky_relu, relu, None", "'tanh'", "--activation"],
        ),
        ("train.py", [*META, "--base_lr=nan"], ["a finite inner_lr above 0", "nan", "(--base_lr)"]),
        ("train.py", [*META, "--meta_finetune"], ["1-shot_MTL_weights", "--finetune_w_path"]),
        ("train.py", [*META, "--lr_drop_step=0"], ["of at least 1", "lr_drop_step"]),
        (
            "train.py",
            [*META, "--metatrain_iterations=0"],
            ["num_steps of at least 1", "(--metatrain_iterations)"],
        ),
        ("train.py", [*META, "--seed=-1"], ["seed of at least 0", "-1", "--seed"]),
        ("test.py", [*TEST, "--unfiles_num=3"], ["nb_ul_samples / 10 = 0.3", "received 3"]),
        ("train.py", [*PRETRAIN, "--pretrain_class_num=5"], ["pretrain_class_num=4", "received 5"]),
        ("train.py", [*PRETRAIN, "--phase=post"], ["phase to be one of pre, meta", "--phase"]),
        ("test.py", [*TEST, "--test_iter=9"], ["step_9.npz", "saved steps: 2"]),
        (
            "test.py",
            [*TEST, "--test_iter=best", "--way_num=4"],
            ["3-way episodes", "--initial_classifier"],
        ),
        (
            "test.py",
            [*TEST, "--nums_in_folders=4"],
            ["unlabeled_per_class=3", "received 4", "--nb_ul_samples"],
        ),
        (
            "test.py",
            [*TEST, "--local_update_num=1"],
            ["retrain_steps=2", "received 1", "--local_update_num"],
        ),
        ("test.py", [*TEST, "--exp_name=other"], ["train one first"]),
    ],
)
def test_user_mistakes_get_one_clear_error(home, script, arguments, texts):
    assert_refused(run(script, *arguments, cwd=home), *texts)


def test_broken_image_stops_training_with_its_name(home):
    path = sorted((home / "data" / "letters" / "labeled_train").rglob("*.png"))[0]
    content = path.read_bytes()
    try:
        Image.new("L", (16, 16)).save(path)
        result = run(
            "train.py", *PRETRAIN, "--pretrain_w_path=other", "--pretrain_iterations=20", cwd=home
        )
    finally:
        path.write_bytes(content)
    assert_refused(result, path.name, "mode 'L'", "convert it to RGB")
    assert not list((home / "other" / "letters").glob("step_*"))


def test_unknown_backend_is_one_clear_error(home):
    os.environ["KERAS_BACKEND"] = "jax"
    try:
        assert_refused(run_script("train.py", *META, cwd=home), "'jax'", "unset KERAS_BACKEND")
    finally:
        del os.environ["KERAS_BACKEND"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("train.py", ["python train.py --phase=pre", "--nb_ul_samples", "halved at iterations"]),
        ("test.py", ["--hard_selection", "the most confident", "--recurrent_stage_nums"]),
    ],
)
def test_help_teaches(script, words, tmp_path):
    result = run_script(script, "--help", cwd=tmp_path)
    text = " ".join(result.stdout.split())
    for word in words:
        assert word in text, word


@pytest.mark.parametrize(
    ("script", "line"), [("train.py", FRONT_PAGE_TRAIN), ("test.py", FRONT_PAGE_TEST)]
)
def test_front_page_commands_get_as_far_as_the_missing_data(script, line, tmp_path):
    result = run(script, *line.split(), cwd=tmp_path)
    # The data is asked for before anything is built or written.
    assert_refused(result, "found no")
    assert not (tmp_path / "checkpoints").exists()


def test_weights_go_to_the_original_and_back(home, tmp_path):
    arguments = ["--img_size=16", "--verify"]
    run_folder = home / "checkpoints" / "small"
    result = run(
        "convert_tf1_weights.py",
        f"--input={run_folder / 'step_2.npz'}",
        f"--output={tmp_path / 'old'}",
        "--to_tf1",
        *arguments,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    names = {path.name for path in visible(tmp_path / "old")}
    assert names == {
        f"{group}_2.npy" for group in ("weights", "ss_weights", "fc_weights", "swn_weights")
    }
    back = (f"--input={run_folder / 'step_2.npz'}", f"--output={tmp_path / 'old'}", "--to_tf1")
    (tmp_path / "old" / "weights_2.npy").write_bytes(b"years of work")
    result = run("convert_tf1_weights.py", *back, *arguments, cwd=tmp_path)
    assert_refused(result, "Expected no other weights in", "weights_2.npy")
    (tmp_path / "old" / "weights_2.npy").unlink()
    assert run("convert_tf1_weights.py", *back, *arguments, cwd=tmp_path).returncode == 0
    target = home / "checkpoints" / "returned"
    result = run(
        "convert_tf1_weights.py",
        f"--input={tmp_path / 'old'}",
        f"--output={target}",
        *arguments,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "bit for bit" in result.stdout
    assert "soft_weighting/dense1_kernel" in result.stdout
    hint = "Next: lst test --exp_name=returned --test_iter=2 --filters=4,8 --img_size=16"
    assert hint in result.stdout
    long_name = "dataset(letters).cls(3).shot(1).lr_drop_step(7).norm(batch).found"
    shutil.copytree(tmp_path / "old", home / "weights_saving_dir" / long_name)
    texts = []
    for name in ("small", "returned", "found"):
        before = new_results(home / "checkpoints" / name)
        result = run("test.py", *TEST, f"--exp_name={name}", "--test_iter=2", cwd=home)
        assert result.returncode == 0, result.stderr
        (results,) = new_results(home / "checkpoints" / name, before=before)
        text = (home / "checkpoints" / name / f"{results}.csv").read_text()
        assert f"\n{name},letters,lst," in text
        texts.append(text.replace(f"\n{name},", "\n"))
    assert f"Converted the original's weights_saving_dir/{long_name}" in result.stdout
    assert texts[0] == texts[1] == texts[2]
    start = target / "step_2.npz"
    finetune = ["--exp_name=tuned", "--meta_finetune", f"--finetune_w_path={start}"]
    result = run("train.py", *META, *finetune, "--metatrain_iterations=1", cwd=home)
    assert result.returncode == 0, result.stderr
    with np.load(start) as before, np.load(home / "checkpoints" / "tuned" / "step_1.npz") as after:
        # One step of Adam moves a weight by at most its rate.
        moved = np.abs(before["classifier/kernel"] - after["classifier/kernel"]).max()
        assert 0 < moved < 1.1e-3
        np.testing.assert_array_equal(
            before["backbone/block1/conv1/kernel"], after["backbone/block1/conv1/kernel"]
        )


def test_converter_refuses_and_rehearses_without_output(home, tmp_path):
    (tmp_path / "weights_1.npy").write_bytes(b"hello")
    arguments = [f"--input={tmp_path}", f"--output={tmp_path / 'new'}"]
    assert_refused(
        run("convert_tf1_weights.py", *arguments, cwd=tmp_path), "weights_1.npy", "damaged"
    )
    assert_refused(run("convert_tf1_weights.py", "--output=x", cwd=tmp_path), "--input")
    result = run(
        "convert_tf1_weights.py",
        f"--input={home / 'checkpoints' / 'small'}",
        f"--output={tmp_path / 'new'}",
        "--to_tf1",
        "--dry_run",
        "--img_size=16",
        cwd=tmp_path,
    )
    assert "Nothing written" in result.stdout
    assert not (tmp_path / "new").exists()
    arguments = [f"--input={tmp_path / 'old'}", f"--output={home / 'checkpoints' / 'small'}"]
    write_npy_files(tmp_path / "old", small_groups(), step=2)
    result = run("convert_tf1_weights.py", *arguments, "--img_size=8", cwd=tmp_path)
    assert_refused(result, "Expected no run of ours", "(--output)")
    assert not result.stdout
