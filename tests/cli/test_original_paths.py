"""The original program's folders, by the flags that name them."""

import pathlib

import pytest

from lst_tf2.cli import original_paths, run_configs
from lst_tf2.errors import InputError
from tests.cli.flag_values import config_of, parse

# As recorded from a run of the original, with --exp_name=oracle.
RECORDED = (
    "dataset(miniImagenet).cls(5).shot(1).meta_batch(2).base_epoch(20).meta_lr(0.001)"
    ".base_lr(0.01).pre_iterations(14000).pre_dropout(0.9).acti(leaky_relu).lr_drop_step(1000)"
    ".base_aug(False).norm(batch).oracle"
)


def parse_test(*arguments):
    """A test's flags, with those of the training that name its folder."""
    return parse("test", *arguments)


def test_long_name_is_the_recorded_one():
    assert original_paths.long_name(parse_test("--exp_name=oracle")) == RECORDED
    other = original_paths.long_name(parse_test("--norm=None", "--meta_lr=0.0001"))
    assert ".meta_lr(0.0001)." in other
    assert other.endswith(".norm(none).finetune_mini_RN")


def test_runs_are_found_by_long_name_then_by_what_a_test_names(tmp_path):
    base = [f"--logdir_base={tmp_path}", "--exp_name=oracle"]
    root = tmp_path / "weights_saving_dir"
    assert original_paths.run_sources(parse_test(*base)) == [root / RECORDED]
    trained_otherwise = root / RECORDED.replace("meta_batch(2)", "meta_batch(4)")
    for folder in (trained_otherwise, root / RECORDED.replace("shot(1)", "shot(5)")):
        folder.mkdir(parents=True)
    assert original_paths.run_sources(parse_test(*base)) == [trained_otherwise]
    (root / RECORDED).mkdir()
    assert original_paths.run_sources(parse_test(*base)) == [root / RECORDED]
    moved = parse_test(*base, "--exp_log_label=elsewhere")
    assert original_paths.run_sources(moved) == [tmp_path / "elsewhere" / RECORDED]


def test_backbone_is_looked_for_in_both_folders():
    sources = original_paths.backbone_sources(parse("train", "--pretrain_w_path=mine"))
    end = pathlib.Path("miniImagenet", "pretrain_weights", "weights_14000.npy")
    assert sources == ["mine" / end, "pretrain_weights_dir" / end]


def test_finetuning_starts_from_the_step_that_the_original_takes():
    default = parse("train", "--meta_finetune", "--shot_num=5")
    path = run_configs.train_config(default).finetune_path
    assert path == "pretrain_weights/miniImagenet/5-shot_MTL_weights/step_15000.npz"
    sources = original_paths.finetune_sources(default, path)
    assert pathlib.Path("pretrain_weights_dir/5-shot_MTL_weights") in sources
    assert pathlib.Path("pretrain_weights_dir/miniImagenet/5-shot_MTL_weights") in sources
    folder = parse("test", "--meta_finetune", "--finetune_w_path=mtl", "--test_iter=0")
    assert run_configs.test_config(folder).finetune_path == "mtl/step_15000.npz"
    file = parse("train", "--meta_finetune", "--finetune_w_path=mtl/step_3.npz")
    assert run_configs.train_config(file).finetune_path == "mtl/step_3.npz"
    file = parse("train", "--meta_finetune", "--finetune_w_path=mtl/ss_weights_3.npy")
    assert run_configs.train_config(file).finetune_path == "mtl/step_3.npz"
    with pytest.raises(InputError, match="--meta_finetune with --finetune_w_path, received 'mtl'"):
        config_of("train", "--finetune_w_path=mtl")
