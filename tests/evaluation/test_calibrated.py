"""Meta-test from a table of features, each image embedded once."""

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import (
    DistributionConfig,
    EpisodeConfig,
    ListConfig,
    MetaTestConfig,
    ModelConfig,
    SelfTrainingConfig,
)
from lst_tf2.data.feeding_order import PROTOCOL_ARRANGEMENTS, episode_rows
from lst_tf2.data.images import ImageFiles
from lst_tf2.data.lists import open_lists
from lst_tf2.data.pipeline import stream_images
from lst_tf2.distribution.strategy import distribute
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.evaluation import calibrated
from lst_tf2.evaluation.episode import EpisodeResult, EpisodeRun, embed_episode, plan_test_windows
from lst_tf2.models.learner import Learner
from lst_tf2.models.normalizers import FixedNormalizer
from lst_tf2.structures import map_inputs
from tests.builders import write_data_set
from tests.faults import files_of_at_most

ALONE = distribute(DistributionConfig())
MODEL = ModelConfig(filters=(4, 8), image_size=16)
STAGES = SelfTrainingConfig(
    num_stages=2,
    retrain_steps=2,
    steps_per_stage=4,
    inner_steps=6,
    selected_per_class=2,
    unlabeled_per_stage=3,
)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(calibrated, "CALIBRATION_BATCHES", 2)
    monkeypatch.setattr(calibrated, "CALIBRATION_BATCH_SIZE", 8)
    monkeypatch.setattr(calibrated, "EPISODES_AT_ONCE", 2)
    monkeypatch.setattr(calibrated, "EMBEDDED_AT_ONCE", 7)
    return write_data_set(tmp_path / "letters")


def config_of(folder, protocol="paper", **changes):
    episode = EpisodeConfig(3, 1, 2, 4, num_distractor_classes=1)
    lists = ListConfig(str(folder), "test", episode, 3)
    settings = {"model": MODEL, "self_training": STAGES, "protocol": protocol} | changes
    return MetaTestConfig("run", "pre", "1", lists, bn_stats="calibrated", **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "gpus"), [("paper", []), ("standard", []), ("standard", ["one"])]
)
def test_episodes_together_equal_episodes_one_by_one(folder, protocol, gpus, monkeypatch):
    config = config_of(folder, protocol)
    lists = open_lists(config.test_list)
    windows = plan_test_windows(config.test_list.episode, STAGES, protocol)
    learner = Learner(MODEL, way=3)
    stats = calibrated.estimate_statistics(learner, config.test_list.data_folder, config.model, 0)
    with monkeypatch.context() as patched:  # With a GPU the episodes make one large operation.
        patched.setattr(calibrated.tf.config, "list_logical_devices", lambda kind: gpus)
        together = list(calibrated.run_calibrated(config, learner, lists, windows, ALONE, stats))
    assert len(together) == 3
    normalizer = FixedNormalizer(learner.backbone.convs, stats)
    for index, result in enumerate(together):
        episode = episode_rows(lists, index, PROTOCOL_ARRANGEMENTS[protocol])

        def maps_of(rows):
            if not len(rows):
                return np.zeros((0, 4, 4, 8), np.float32)
            (images,) = stream_images(rows, len(rows), ImageFiles(lists.catalogue, 16))
            return learner.embed(images, normalizer).maps

        features = embed_episode(calibrated.features_of, map_inputs(maps_of, episode), windows)
        alone = EpisodeRun(learner, STAGES)(features)
        for name, value in EpisodeResult._asdict(alone).items():
            np.testing.assert_allclose(getattr(result, name), value, rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_every_image_is_embedded_once(folder, capsys):
    config = config_of(folder)
    lists = open_lists(config.test_list)
    windows = plan_test_windows(config.test_list.episode, STAGES, "paper")
    learner = Learner(MODEL, way=3)
    stats = calibrated.estimate_statistics(learner, config.test_list.data_folder, config.model, 0)
    results = calibrated.run_calibrated(config, learner, lists, windows, ALONE, stats)
    used = {
        row
        for index in range(3)
        for rows in (*lists.labeled_rows(index), *lists.unlabeled_rows(index))
        for row in rows
    }
    episodes = [episode_rows(lists, index, PROTOCOL_ARRANGEMENTS["paper"]) for index in range(3)]
    rows = calibrated.rows_in(episodes)
    assert len(rows) == len(set(rows))
    assert used <= set(rows)
    assert f"embedding {len(rows)}/{len(rows)} " in capsys.readouterr().err
    assert len(list(results)) == 3


def test_base_classes_and_batch_norm_are_needed(folder):
    with pytest.raises(InputError, match=r"norm=batch_norm.*choose bn_stats=batch"):
        config_of(folder, model=ModelConfig((4, 8), 16, norm="None"))
    (folder / "labeled_train").rename(folder / "gone")
    with pytest.raises(MissingInputError, match="labeled_train"):
        calibrated.estimate_statistics(Learner(MODEL, way=3), str(folder), MODEL, 0)


def test_mirror_images_count_as_much_as_images():
    learner = Learner(MODEL, way=3)
    images = tf.random.stateless_uniform([4, 16, 16, 3], [0, 0])
    embed = calibrated.embedder(learner, [])
    found = calibrated.with_mirror_image(embed)(images)
    np.testing.assert_allclose(
        found, calibrated.with_mirror_image(embed)(images[:, :, ::-1])[:, :, ::-1], atol=1e-5
    )
    expected = (embed(images) + embed(images[:, :, ::-1])[:, :, ::-1]) / 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_too_little_room_for_the_table_is_told_before_it_is_filled():
    with files_of_at_most(1000), pytest.raises(InputError, match=r"for the features of 40 images"):
        calibrated.FeatureTable(np.arange(40), (2, 2, 8))
    assert calibrated.FeatureTable(np.arange(40), (2, 2, 8)).maps.nbytes == 40 * 4 * 8 * 4
