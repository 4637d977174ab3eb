"""The flagfiles: they parse, say where their values come from, and differ where they should."""

import pathlib
import re

import pytest

from tests.cli.flag_values import config_of
from tests.cli.small_run import FRONT_PAGE_TEST, FRONT_PAGE_TRAIN

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
CELLS = [
    (data, shot, distractors)
    for data in ("mini", "tiered")
    for shot in (1, 5)
    for distractors in (False, True)
]


def load(path, name, monkeypatch):
    monkeypatch.chdir(ROOT)  # Flagfiles name others from there.
    return config_of(name, f"--flagfile=configs/{path}.flags")


@pytest.mark.parametrize(("data", "shot", "distractors"), CELLS)
def test_paper_cell_has_the_settings_of_its_cell(data, shot, distractors, monkeypatch):
    cell = f"paper/{data}_{shot}shot{'_distractors' if distractors else ''}"
    train = load(f"{cell}_train", "train", monkeypatch)
    test = load(f"{cell}_test", "test", monkeypatch)
    assert train.run_folder == test.run_folder == f"checkpoints/LST_{data}_{shot}_shot"
    assert train.train_list.data_folder == f"data/{data}Imagenet"
    assert train.train_list.episode.shot == test.test_list.episode.shot == shot
    assert train.train_list.episode.num_distractor_classes == 0
    assert test.test_list.episode.num_distractor_classes == (3 if distractors else 0)
    assert test.self_training.num_stages == 6
    assert test.protocol == "paper"
    assert test.test_list.num_episodes == 600


def test_every_value_of_the_paper_says_where_it_comes_from():
    for path in sorted((CONFIGS / "paper").iterdir()):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            assert line.startswith(("# ", "--")), f"{path.name}: {line}"
            if line.startswith("--"):
                sources = [text for text in lines[:number] if text.startswith("# ")]
                assert re.search("original|unpublished|cell|follows|distractors|figures",
                                 sources[-1], re.IGNORECASE), path.name  # fmt: skip
    first = (CONFIGS / "paper" / "mini_1shot_test.flags").read_text()
    assert "Unpublished" not in first


def test_front_page_cell_is_the_front_page(monkeypatch):
    train = load("paper/mini_1shot_train", "train", monkeypatch)
    assert train == config_of("train", *FRONT_PAGE_TRAIN.split())
    test = load("paper/mini_1shot_test", "test", monkeypatch)
    assert test == config_of("test", *FRONT_PAGE_TEST.split())


def test_ablation_has_ten_settings_of_two_runs(monkeypatch):
    found = {}
    for path in sorted((CONFIGS / "ablation").glob("test_*.flags")):
        config = load(f"ablation/{path.stem}", "test", monkeypatch)
        stages = config.self_training
        assert config.run_folder == "checkpoints/" + (
            "ablation_unweighted"
            if stages.weighting == "none" and config.test_iter != "0"
            else "ablation"
        )
        found[path.stem] = (
            *(config.test_iter, config.initial_classifier),
            *(stages.selection, stages.weighting, stages.num_stages),
        )
    assert len(set(found.values())) == len(found) == 10
    for name in ("train", "train_unweighted"):
        config = load(f"ablation/{name}", "train", monkeypatch)
        assert config.adaptation.weighting == ("soft" if name == "train" else "none")


@pytest.mark.parametrize(
    ("start", "dataset"), [("demo_", "glyphs"), ("cifar_fs/paper_", "cifar_fs")]
)
def test_flagfiles_of_a_run_fit_each_other(start, dataset, monkeypatch):
    pretrain, train = (load(f"{start}{name}", name, monkeypatch) for name in ("pretrain", "train"))
    test = load(f"{start}test", "test", monkeypatch)
    assert pretrain.data_folder == test.test_list.data_folder == f"data/{dataset}"
    assert train.pretrained_path == test.pretrained_path
    assert train.pretrained_path.endswith(f"step_{pretrain.loop.num_steps}.npz")
    assert train.run_folder == test.run_folder
    assert pretrain.model == train.model == test.model


def test_photographs_are_pretrained_by_the_modern_recipe_in_two_parts(monkeypatch):
    first, second = (
        load(f"cifar_fs/{name}", "pretrain", monkeypatch) for name in ("pretrain_first", "pretrain")
    )
    for config in (first, second):
        steps = config.loop.num_steps
        assert config.recipe_name == "modern"
        assert config.optimizer.falling_steps == steps
        half = steps // 2
        sides = [config.recipe.size_at(step, steps, 32) for step in (0, half - 1, half, steps - 1)]
        assert sides == [24, 24, 32, 32]
    assert (first.recipe.turned_share, second.recipe.turned_share) == (0.5, 0)
    assert second.start_path == f"{first.run_folder}/step_{first.loop.num_steps}.npz"
    assert first.model == second.model


@pytest.mark.parametrize("shot", [1, 5])
def test_photographs_are_metatrained_and_compared_from_these_weights(shot, monkeypatch):
    pretrain = load("cifar_fs/pretrain", "pretrain", monkeypatch)
    folder = "--flagfile=configs/cifar_fs"
    flags = (f"{folder}/train.flags", f"{folder}/train_{shot}shot.flags")
    train = config_of("train", *flags)
    assert train.pretrained_path.endswith(f"cifar_fs/step_{pretrain.loop.num_steps}.npz")
    assert train.run_folder == f"checkpoints/cifar_fs_meta_{shot}shot"
    assert train.model == pretrain.model
    assert train.train_list.episode.shot == shot
