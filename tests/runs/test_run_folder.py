import dataclasses
import json

import pytest

from lst_tf2.config import LoopConfig, ModelConfig, PretrainConfig
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.runs.run_folder import check_model, flatten_settings, read_model
from lst_tf2.storage.files import read_json
from tests.builders import begin_run


@pytest.fixture(name="config")
def fixture_config(tmp_path):
    return PretrainConfig("data/x", str(tmp_path / "run"), LoopConfig(10, 1, 1, 1))


def test_settings_are_written_and_the_same_run_goes_on(config):
    path = begin_run(config.run_folder, config, overwrite=False)
    settings = json.loads((path / "config.json").read_text())["settings"]
    assert flatten_settings(settings) == flatten_settings(dataclasses.asdict(config))
    (path / "step_1.npz").touch()
    longer = dataclasses.replace(config, loop=LoopConfig(99, 2, 2, 2))
    assert begin_run(config.run_folder, longer, overwrite=False) == path
    assert (path / "step_1.npz").exists()


def test_other_settings_are_refused_until_overwritten(config):
    path = begin_run(config.run_folder, config, overwrite=False)
    (path / "step_1.npz").touch()
    other = dataclasses.replace(config, batch_size=8, model=ModelConfig(filters=(8, 8)))
    with pytest.raises(InputError, match=r"(?s)batch_size: 64 there, 8 now.*model.filters"):
        begin_run(config.run_folder, other, overwrite=False)
    assert (path / "step_1.npz").exists()
    begin_run(config.run_folder, other, overwrite=True)
    assert not (path / "step_1.npz").exists()
    assert (path.parent / "run.1" / "step_1.npz").exists()
    assert json.loads((path / "config.json").read_text())["settings"]["batch_size"] == 8


def test_foreign_folder_is_left_alone(config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "holiday.jpg").touch()
    with pytest.raises(InputError, match=r"found files but no config\.json"):
        begin_run(config.run_folder, config, overwrite=True)
    assert (tmp_path / "run" / "holiday.jpg").exists()


def test_model_must_be_that_of_the_run(config):
    path = begin_run(config.run_folder, config, overwrite=False)
    check_model(path, ModelConfig())
    with pytest.raises(InputError, match=r"image_size: 84 there, 32 now; repeat its settings"):
        check_model(path, ModelConfig(image_size=32))
    with pytest.raises(MissingInputError, match="train one first"):
        check_model(path.parent / "other", ModelConfig())
    for damaged in ("{", "[]", '{"settings": null}', '{"settings": {"model": null}}'):
        (path / "config.json").write_text(damaged)
        with pytest.raises(InputError, match=r"config\.json"):
            check_model(path, ModelConfig())


def test_runs_of_before_learn_no_rates(config):
    path = begin_run(config.run_folder, config, overwrite=False)
    settings = read_json(path / "config.json")
    assert settings["settings"]["model"].pop("learn_inner_lr") is False
    (path / "config.json").write_text(json.dumps(settings))
    assert read_model(path) == ModelConfig()
    begin_run(config.run_folder, config, overwrite=False)


def test_folder_with_results_alone_can_be_claimed(config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results_x.json").touch()
    path = begin_run(config.run_folder, config, overwrite=False)
    assert (path / "config.json").exists()
    assert (path / "results_x.json").exists()


def test_same_settings_are_never_set_aside(config):
    path = begin_run(config.run_folder, config, overwrite=False)
    (path / "step_1.npz").touch()
    begin_run(config.run_folder, config, overwrite=True)
    assert (path / "step_1.npz").exists()
