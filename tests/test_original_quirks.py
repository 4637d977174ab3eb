"""Behaviours that `docs/original.md` states and no other test shows."""

import contextlib
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.lst import hard_select
from lst_tf2.config import (
    AdaptationConfig,
    EpisodeConfig,
    ListConfig,
    LoopConfig,
    MetaTestConfig,
    ModelConfig,
    PretrainConfig,
    SelfTrainingConfig,
)
from lst_tf2.data import feeding_order, layout
from lst_tf2.data.lists import sample_lists
from lst_tf2.evaluation.episode import plan_test_windows
from lst_tf2.evaluation.meta_test import restore_learner
from lst_tf2.models.learner import PretrainModel
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.training import meta_train
from tests.builders import begin_run, write_data_set
from tests.cli.flag_values import config_of
from tests.small_training import build_trainer, random_meta_batch


def catalogue_of(num_classes, images_per_pool):
    """The test split of a data set that is nowhere on disk."""
    names = tuple(f"{i:03d}.png" for i in range(images_per_pool))
    classes = [layout.ClassImages(f"class{c:02d}", names, names) for c in range(num_classes)]
    return layout.Catalogue(pathlib.Path("letters"), "test", tuple(classes))


@pytest.mark.slow
def test_both_query_losses_agree_where_every_step_retrains():
    trainer = build_trainer(AdaptationConfig(retrain_steps=3, inner_steps=3))
    scalars, *_ = trainer.gradients(random_meta_batch())
    assert float(scalars["retrain_query_loss"]) == float(scalars["finetune_query_loss"])
    longer = build_trainer(AdaptationConfig(retrain_steps=3, inner_steps=4))
    scalars, *_ = longer.gradients(random_meta_batch())
    assert float(scalars["retrain_query_loss"]) != float(scalars["finetune_query_loss"])


@pytest.mark.slow
def test_both_gradients_are_taken_before_either_update():
    trainer, batch = build_trainer(), random_meta_batch()
    variables = [trainer.learner.meta_variables, trainer.learner.swn_variables]
    # At so high a rate the second gradient would differ after the first update.
    trainer.meta_optimizer, trainer.swn_optimizer = (keras.optimizers.SGD(1.0) for _ in range(2))
    trainer.meta_optimizer.build(variables[0])
    trainer.swn_optimizer.build(variables[1])
    _, *gradients = trainer.gradients(batch)
    before = [[variable.numpy() for variable in group] for group in variables]
    trainer.train_step(batch)
    for group, values, grads in zip(variables, before, gradients, strict=True):
        for variable, value, grad in zip(group, values, grads, strict=True):
            np.testing.assert_allclose(variable.numpy(), value - grad, rtol=1e-3, atol=1e-3)


def test_more_candidates_than_16_bits_count():
    count = 33000
    probs = np.zeros([count, 2], np.float32)
    probs[:, 0] = np.linspace(0.5, 1, count)  # All of class 0, the last one the most likely.
    selection = hard_select(tf.constant(probs), tf.constant([0, 1]), 32800)
    np.testing.assert_array_equal(selection.rows[:3], [count - 1, count - 2, count - 3])
    assert len(np.unique(selection.rows[:32800])) == 32800


@pytest.mark.parametrize("way", [4, 10])
def test_counts_that_the_original_fixes_are_free(way):
    # It has 5 ways at test, 100 unlabeled images a class and at most 7 distractor classes.
    episode = EpisodeConfig(way, 1, 1, unlabeled_per_class=120, num_distractor_classes=8)
    lists = sample_lists(catalogue_of(18, 130), ListConfig("letters", "test", episode, 1))
    files = feeding_order.episode_files(lists, 0, feeding_order.arrange_as_paper)
    assert len(set(files.unlabeled.inputs)) == len(files.unlabeled.inputs) == 120 * way
    assert np.bincount(files.unlabeled.labels).tolist() == [120] * way
    assert len(set(files.distractors.inputs)) == len(files.distractors.inputs) == 120 * 8
    windows = plan_test_windows(episode, SelfTrainingConfig(), "paper")
    assert len(windows) == 7
    assert windows[-1].unlabeled[1] == 120 * way


def test_order_of_unlabeled_images_repeats_in_the_paper_protocol_alone():
    episode = EpisodeConfig(5, 1, 1, unlabeled_per_class=10, num_distractor_classes=2)
    lists = sample_lists(catalogue_of(9, 20), ListConfig("letters", "test", episode, 2))

    def labels_of(arrange):
        return [feeding_order.episode_files(lists, i, arrange).unlabeled.labels for i in range(2)]

    first, second = labels_of(feeding_order.arrange_as_paper)
    np.testing.assert_array_equal(first, second)
    first, second = labels_of(feeding_order.arrange_mixed)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(labels_of(feeding_order.arrange_mixed)[1], second)


def test_order_of_the_file_system_does_not_matter(tmp_path, monkeypatch):
    folder = write_data_set(tmp_path / "letters")
    scandir, found = os.scandir, []
    for is_reversed in (False, True):

        @contextlib.contextmanager
        def ordered(path, is_reversed=is_reversed):
            with scandir(path) as entries:
                yield sorted(entries, key=lambda entry: entry.name, reverse=is_reversed)

        monkeypatch.setattr(layout.os, "scandir", ordered)
        found.append(layout.scan_split(folder, "val"))
    assert found[0] == found[1]
    assert [entry.name for entry in found[0].classes] == sorted(e.name for e in found[0].classes)


def test_validations_take_their_episodes_in_turn_and_begin_again():
    taken = [meta_train.validation_indices(turn, count=4, length=6) for turn in range(4)]
    assert taken == [[0, 1, 2, 3], [4, 5, 0, 1], [2, 3, 4, 5], [0, 1, 2, 3]]


def test_validation_has_as_many_queries_as_the_test():
    for protocol, queries in (("paper", 5), ("standard", 15)):
        config = config_of("train", "--shot_num=5", f"--protocol={protocol}")
        assert config.val_list.episode.queries_per_class == queries
        assert config.train_list.episode.queries_per_class == 15


def test_absolute_data_path_is_taken_as_it_is():
    for path in ("/somewhere/else", "/somewhere/else/"):
        config = config_of("test", f"--data_path={path}")
        assert config.test_list.data_folder == "/somewhere/else/data/miniImagenet"


def test_fresh_classifier_of_iteration_0_follows_the_seed(tmp_path):
    model = ModelConfig(filters=(4, 8), image_size=8)
    run = PretrainConfig("data/x", str(tmp_path / "x"), LoopConfig(3, 1, 1, 1), model=model)
    # Its head has 6 classes; nothing after pre-training asks for that number.
    CheckpointStore(
        begin_run(run.run_folder, run, overwrite=False), PretrainModel(model, 6).named_variables()
    ).save(3)
    episode = EpisodeConfig(3, 1, 1, 30)

    def kernel(seed):
        lists = ListConfig("data/x", "test", episode, 5, seed)
        config = MetaTestConfig("none", str(tmp_path / "x" / "step_3.npz"), "0", lists, model=model)
        learner, step = restore_learner(config)
        assert step == 0
        return learner.classifier.kernel.numpy()

    np.testing.assert_array_equal(kernel(0), kernel(0))
    assert not np.array_equal(kernel(0), kernel(1))
