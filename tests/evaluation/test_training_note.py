import dataclasses

import pytest

from lst_tf2.config import EpisodeConfig, ListConfig, MetaTestConfig, MetaTrainConfig
from lst_tf2.errors import InputError
from lst_tf2.evaluation.training_note import check_way, note_differences
from lst_tf2.storage.files import write_json
from tests.builders import begin_run


@pytest.fixture(name="config")
def fixture_config(tmp_path):
    """The test of a run, with episodes like those of its training under the protocol `paper`."""
    lists = ListConfig("data/x", "train", EpisodeConfig())
    validation = ListConfig("data/x", "val", EpisodeConfig(queries_per_class=1))
    run = MetaTrainConfig(str(tmp_path / "run"), "pre", lists, validation)
    begin_run(run.run_folder, run)
    tested = ListConfig(
        "data/x", "test", EpisodeConfig(queries_per_class=1, unlabeled_per_class=99)
    )
    return MetaTestConfig(run.run_folder, "pre", "last", tested)


def with_episode(config, **changes):
    episode = dataclasses.replace(config.test_list.episode, **changes)
    return dataclasses.replace(
        config, test_list=dataclasses.replace(config.test_list, episode=episode)
    )


def test_test_like_the_training_has_no_note(config):
    assert note_differences(config) == ""


def test_other_episodes_are_noted(config):
    assert note_differences(with_episode(config, shot=5, queries_per_class=15)) == (
        "note: the run was trained with 1 shot, 1 queries per class; "
        "this test has 5 shot, 15 queries per class."
    )
    assert "5 way; this test has 3 way" in note_differences(with_episode(config, way=3))


def test_converted_run_tells_nothing(config, tmp_path):
    write_json(tmp_path / "run" / "config.json", {"settings": {"model": {}}})
    assert note_differences(with_episode(config, shot=5)) == ""
    fresh = dataclasses.replace(config, run_folder="nowhere", test_iter="0")
    assert note_differences(fresh) == ""


def test_other_way_names_the_classifier_that_has_any(config):
    check_way(config, 5, "run")
    with pytest.raises(InputError, match="pass initial_classifier=plain"):
        check_way(config, 3, "run")
