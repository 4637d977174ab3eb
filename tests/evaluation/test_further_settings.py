"""A step of training and an episode of a test in settings that nobody recorded."""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import (
    AdaptationConfig,
    EpisodeConfig,
    ModelConfig,
    OptimizerConfig,
    SelfTrainingConfig,
)
from lst_tf2.evaluation.episode import EpisodeRun, embed_episode, plan_test_windows
from lst_tf2.models.learner import Learner
from lst_tf2.structures import Episode, Examples
from lst_tf2.training.meta_step import MetaTrainer

pytestmark = pytest.mark.slow

MODEL = ModelConfig(filters=(4, 8), image_size=16)
TRAINING = AdaptationConfig(retrain_steps=2, inner_steps=4)
TEST = SelfTrainingConfig(
    num_stages=3, retrain_steps=2, steps_per_stage=4, inner_steps=6, selected_per_class=3,
    unlabeled_per_stage=4,
)  # fmt: skip


class Setting(NamedTuple):
    """What differs from a run on three classes."""

    way: int = 3
    shot: int = 1
    model: dict = {}  # noqa: RUF012 - never changed
    training: dict = {}  # noqa: RUF012
    test: dict = {}  # noqa: RUF012
    shunned: int | None = None  # the class that nothing is predicted as


SETTINGS = {
    "two ways": Setting(way=2),
    "four ways of two shots": Setting(way=4, shot=2),
    "five ways of three shots": Setting(way=5, shot=3),
    "relu": Setting(model={"activation": "relu"}),
    "no activation": Setting(model={"activation": "None"}),
    "no norm": Setting(model={"norm": "None"}),
    "layer norm": Setting(model={"norm": "layer_norm"}),
    "re-training alone": Setting(
        training={"retrain_steps": 4}, test={"retrain_steps": 4, "inner_steps": 4}
    ),
    "no re-training": Setting(training={"retrain_steps": 0}, test={"retrain_steps": 0}),
    "a class that nothing is predicted as": Setting(shunned=1),
    "training in two stages": Setting(
        training={"num_stages": 2, "selection": "hard", "selected_per_class": 2}
    ),
    "more kept than there are": Setting(test={"selected_per_class": 9}),
}


def random_episode(setting):
    rng = np.random.default_rng(0)

    def draw(per_class):
        labels = np.repeat(np.arange(setting.way, dtype=np.int32), per_class)
        return Examples(rng.random((len(labels), 16, 16, 3), np.float32), labels)

    return Episode(draw(setting.shot), draw(2), draw(4), draw(0))


@pytest.fixture(name="setting", params=SETTINGS.values(), ids=SETTINGS)
def fixture_setting(request):
    return request.param


@pytest.fixture(name="learner")
def fixture_learner(setting):
    keras.utils.set_random_seed(0)
    learner = Learner(dataclasses.replace(MODEL, **setting.model), setting.way)
    if setting.shunned is not None:
        bias = np.zeros(setting.way, np.float32)
        bias[setting.shunned] = -100
        learner.classifier.bias.assign(bias)
    return learner


def test_step_of_training_is_finite(setting, learner):
    config = dataclasses.replace(TRAINING, **setting.training)
    trainer = MetaTrainer(learner, config, OptimizerConfig(), OptimizerConfig())
    meta_batch = tf.nest.map_structure(lambda a: np.stack([a, a]), random_episode(setting))
    scalars, meta_gradients, swn_gradients = trainer.gradients(meta_batch)
    for variables, gradients in (
        (learner.meta_variables, meta_gradients),
        (learner.swn_variables, swn_gradients),
    ):
        assert [v.shape for v in variables] == [g.shape for g in gradients]
    for value in tf.nest.flatten([scalars, meta_gradients, swn_gradients]):
        assert np.isfinite(value).all()
    assert max(float(tf.norm(g)) for g in meta_gradients) > 0


def test_episode_of_a_test_is_finite(setting, learner):
    config = dataclasses.replace(TEST, **setting.test)
    episode = EpisodeConfig(setting.way, setting.shot, 2, unlabeled_per_class=4)
    windows = plan_test_windows(episode, config, "paper")
    features = embed_episode(learner.embed, random_episode(setting), windows)
    result = EpisodeRun(learner, config)(features)
    assert result.baseline.shape == result.final.shape == (config.inner_steps,)
    assert result.stages.shape == (3, config.steps_per_stage)
    for value in (result.baseline, result.stages, result.final):
        assert ((value >= 0) & (value <= 1)).numpy().all()
    np.testing.assert_array_equal(result.stages[-1], result.final[: config.steps_per_stage])
    if setting.shunned is None:
        assert np.isfinite(result.pseudo_labels).all()
