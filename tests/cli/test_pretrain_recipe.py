"""Pre-training by the modern recipe, from the command line.

Also of `runs/initial_weights.py`.
"""

import json

import numpy as np
import pytest

from lst_tf2.predict.backbone_names import PRESETS
from lst_tf2.predict.presets import WEIGHTS
from lst_tf2.runs.checkpoints import read_arrays
from lst_tf2.storage.packing import ENDING
from tests.builders import write_data_set
from tests.cli.small_run import PRETRAIN
from tests.command_line import assert_refused, run

pytestmark = pytest.mark.slow

MODERN = [*PRETRAIN, "--pre_recipe=modern", "--pretrain_iterations=4", "--pre_sizes=8,16"]


@pytest.fixture(scope="module", name="home")
def fixture_home(tmp_path_factory):
    """A folder in which the recipe ran once, without a stop."""
    home = tmp_path_factory.mktemp("home")
    write_data_set(home / "data" / "letters", classes_per_split=4, images_per_pool=18)
    result = run("train.py", *MODERN, cwd=home)
    assert result.returncode == 0, result.stderr
    return home


def test_recipe_sets_the_defaults_and_flags_change_them(home):
    result = run(
        *("train.py", *MODERN, "--pre_mixup=0", "--pre_lr=0.02", "--pretrain_w_path=other/"),
        cwd=home,
    )
    assert result.returncode == 0, result.stderr
    first, other = (
        json.loads((home / folder / "letters" / "config.json").read_text())["settings"]
        for folder in ("pretrain_weights", "other")
    )
    assert first["recipe"]["mixup"] == 0.2
    assert first["optimizer"]["name"] == "SGD"
    assert first["optimizer"]["falling_steps"] == 4
    assert first["batch_size"] == 8
    assert first["model"]["precision"] == "auto"
    assert other["recipe"] == first["recipe"] | {"mixup": 0}
    assert other["optimizer"] == first["optimizer"] | {"initial_lr": 0.02}


def test_run_in_sittings_equals_one_without_a_stop(home):
    folder = home / "sittings" / "letters"
    for step in (1, 2, 3, 4):
        result = run(
            *("train.py", *MODERN, "--pretrain_w_path=sittings/", "--time_limit=0.001s"), cwd=home
        )
        assert sorted(path.name for path in folder.glob("step_*")) == [f"step_{step}.npz"]
        assert result.returncode == (0 if step == 4 else 124)
        if step < 4:
            assert f"The time is up after step {step} of 4, which is saved" in result.stderr
    whole = read_arrays(home / "pretrain_weights" / "letters" / "step_4.npz")
    parts = read_arrays(folder / "step_4.npz")
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)
    averaged, live = whole["backbone/block1/shortcut"], "optimizer_live/backbone/block1/shortcut"
    assert np.abs(averaged - whole[live]).max() > 0


def test_another_length_is_another_run(home):
    result = run("train.py", *MODERN, "--pretrain_iterations=6", cwd=home)
    assert_refused(result, "received others:")
    assert "optimizer.falling_steps: 4 there, 6 now" in result.stderr


def test_time_that_is_none_is_refused(home):
    result = run("train.py", *MODERN, "--time_limit=soon", cwd=home)
    assert_refused(result, "time_limit as a number with its unit")


def test_kernels_of_another_run_are_the_start(home):
    start = home / "pretrain_weights" / "letters" / "step_4.npz"
    flags = [*PRETRAIN, "--pretrain_iterations=1", "--pre_lr=0", "--pretrain_w_path=further/"]
    result = run("train.py", *flags, f"--pre_start={start}", cwd=home)
    assert result.returncode == 0, result.stderr
    before, after = (
        read_arrays(path) for path in (start, home / "further" / "letters" / "step_1.npz")
    )
    for name in ("backbone/block1/conv2/kernel", "backbone/block2/shortcut"):
        np.testing.assert_array_equal(after[name], before[name])
    result = run("train.py", *flags, "--overwrite", "--pre_start=none.npz", cwd=home)
    assert_refused(result, "Expected a checkpoint at none.npz")


def test_preset_is_the_start_in_whole_numbers_too(home):
    weights = PRESETS / "glyphs" / WEIGHTS
    flags = [*PRETRAIN, "--filters=16,32,64,128", "--pretrain_iterations=1", "--pre_lr=0"]
    flags += ["--pretrain_w_path=preset/", f"--pre_start={weights}"]
    result = run("train.py", *flags, cwd=home)
    assert result.returncode == 0, result.stderr
    found = read_arrays(home / "preset" / "letters" / "step_1.npz")
    packed = read_arrays(weights)
    name = "backbone/block1_conv2/kernel"
    expected = packed[name] * packed[f"{name}{ENDING}"]
    np.testing.assert_allclose(found["backbone/block1/conv2/kernel"], expected, rtol=1e-6)
    expected = packed["backbone/block2_shortcut/kernel"]
    expected = expected * packed[f"backbone/block2_shortcut/kernel{ENDING}"]
    np.testing.assert_allclose(found["backbone/block2/shortcut"], expected, rtol=1e-6)


def test_images_of_which_nothing_is_left_are_refused(home):
    result = run("train.py", *MODERN, "--filters=4,4,4,4", "--pre_sizes=8,16", cwd=home)
    assert_refused(result, "sizes of at least 16 pixels", "8,16", "--pre_sizes")
