"""Tests of `config/headings.py`, `config/loops.py`, `config/method.py`, `config/piles.py`,
`config/recipe.py` and `config/runs.py`.
"""

import math

import pytest

from lst_tf2 import config
from lst_tf2.errors import InputError

LIST = config.ListConfig("data/x", "test", config.EpisodeConfig(unlabeled_per_class=20), 5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: config.ModelConfig(filters=()), "positive filter counts"),
        (lambda: config.ModelConfig(filters=(4, 0)), "positive filter counts"),
        (lambda: config.ModelConfig(image_size=15), "at least 16 pixels.*received 15"),
        (lambda: config.ModelConfig(norm="group"), "norm to be one of batch_norm"),
        (lambda: config.EpisodeConfig(way=1), "way of at least 2, received 1"),
        (lambda: config.EpisodeConfig(shot=0), "shot of at least 1"),
        (lambda: config.EpisodeConfig(unlabeled_per_class=0), "unlabeled_per_class of at least 1"),
        (
            lambda: config.EpisodeConfig(num_distractor_classes=-1),
            "num_distractor_classes of at least 0",
        ),
        (lambda: config.ListConfig("d", "dev", LIST.episode, 5), "split to be one of train"),
        (lambda: config.ListConfig("d", "val", LIST.episode, 0), "num_episodes of at least 1"),
        (
            lambda: config.ListConfig("d", "val", LIST.episode, 1, -1),
            "seed of at least 0, received",
        ),
        (lambda: config.AdaptationConfig(inner_lr=0), "finite inner_lr above 0, received 0"),
        (
            lambda: config.AdaptationConfig(inner_lr=math.inf),
            "a finite inner_lr above 0, received inf; give a number",
        ),
        (lambda: config.AdaptationConfig(retrain_steps=-1), "retrain_steps of at least 0"),
        (lambda: config.AdaptationConfig(inner_steps=4), "retrain_steps=5, and 1, received 4"),
        (lambda: config.SelfTrainingConfig(num_stages=0), "num_stages of at least 1"),
        (lambda: config.SelfTrainingConfig(inner_steps=39), "at least steps_per_stage=40"),
        (lambda: config.SelfTrainingConfig(steps_per_stage=9), "retrain_steps=10, and 1"),
        (
            lambda: config.OptimizerConfig(math.nan),
            "initial_lr of at least 0, received nan; give a number",
        ),
        (lambda: config.OptimizerConfig(min_lr=-1), "min_lr of at least 0"),
        (lambda: config.OptimizerConfig(halve_every_steps=0), "halve_every_steps of at least 1"),
        (lambda: config.LoopConfig(-1, 1, 1, 1), "num_steps of at least 1"),
        (lambda: config.LoopConfig(5, 1, 0, 1), "summary_every_steps of at least 1, received 0"),
        (lambda: config.MetaTestConfig("r", "p", "1", LIST), "unlabeled_per_class=20, received 30"),
        (lambda: config.MetaTestConfig("r", "p", "1", LIST, protocol="x"), "paper, standard"),
        (
            lambda: config.PretrainConfig("d", "r", config.LoopConfig(1, 1, 1, 1), batch_size=0),
            "batch_size of at least 1",
        ),
        (
            lambda: config.PretrainConfig(
                "d", "r", config.LoopConfig(1, 1, 1, 1), keep_probability=0.0
            ),
            "keep_probability above 0",
        ),
    ],
)
def test_bounds_are_checked_with_expected_received_and_remedy(build, message):
    with pytest.raises(InputError, match=message) as caught:
        build()
    assert "received" in str(caught.value)
    assert "; " in str(caught.value)


def test_sizes_follow_from_the_model():
    assert config.ModelConfig().map_side == 5
    assert config.ModelConfig().embedding_width == 512
    assert config.ModelConfig((16, 32, 64, 128), 32).map_side == 2
    assert config.EpisodeConfig(shot=5).labeled_per_class == 20
