"""Meta-test against `tests/golden/metatest_{a,b,i}.npz`, recorded from the original.

a: one shot, overlapping windows; b: distractors; i: two shots, more stages than windows.
"""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.lst import class_prototypes
from lst_tf2.adaptation.method import Evidence
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import (
    SelfTraining,
    choose,
    first_evidence,
    next_evidence,
    self_train,
)
from lst_tf2.config import EpisodeConfig, SelfTrainingConfig
from lst_tf2.evaluation.episode import (
    EpisodeFeatures,
    EpisodeRun,
    embed_episode,
    plan_test_windows,
)
from lst_tf2.models.learner import Learner
from tests.golden_files import Golden

pytestmark = pytest.mark.large


def settings_of(golden):
    flags = golden.flags
    config = SelfTrainingConfig(
        inner_lr=flags["base_lr"],
        num_stages=flags["recurrent_stage_nums"],
        retrain_steps=flags["re_train_epoch_num"],
        steps_per_stage=flags["local_update_num"],
        inner_steps=flags["test_base_epoch_num"],
        selected_per_class=flags["hard_selection"],
        unlabeled_per_stage=flags["nums_in_folders"],
    )
    episode = EpisodeConfig(
        way=golden.way,
        shot=golden.shot,
        queries_per_class=golden.config["task"]["query"],
        unlabeled_per_class=flags["nb_ul_samples"],
        num_distractor_classes=flags.get("num_dis", 0),
    )
    return config, plan_test_windows(episode, config, "paper")


class Run(NamedTuple):
    golden: Golden
    learner: Learner
    config: SelfTrainingConfig
    features: EpisodeFeatures
    training: SelfTraining
    evidence: list[Evidence]  # of every stage, and of one more


@pytest.fixture(scope="module", params=["metatest_a", "metatest_b", "metatest_i"])
def run(request):
    golden = Golden(request.param)
    learner = golden.learner()
    config, windows = settings_of(golden)
    episode = golden.episode(golden.config["tasks"][0])
    features = embed_episode(learner.embed, episode, windows)
    initial, method = learner.classifier.read(), load_method(config, learner)
    unlabeled = [window.inputs for window in features.windows]
    training = self_train(method, features.support, unlabeled, initial, config)
    evidence = [first_evidence(features.support, unlabeled[0], initial, config)]
    for i, stage in enumerate(training.stages, start=1):
        evidence.append(next_evidence(evidence[-1], stage, unlabeled[i % len(unlabeled)]))
    return Run(golden, learner, config, features, training, evidence)


def test_every_pool_matches(run):
    golden = run.golden
    for i, evidence in enumerate(run.evidence):
        golden.assert_close(evidence.labeler.kernel, f"pool{i}/w5", 1e-4)
        logits = classify(evidence.labeler, evidence.unlabeled.embeddings)
        golden.assert_close(logits, f"pool{i}/logits", 5e-4)
        assert logits.shape[0] == golden.truth(f"pool{i}/size")
        if i < run.config.num_stages:
            chosen = run.training.stages[i].chosen
        else:  # The original chooses once more than it uses.
            chosen = choose(load_method(run.config, run.learner), evidence)
        assert_same_selection(run, chosen, logits, i)


def assert_same_selection(run, chosen, logits, i):
    """The recorded rows for each class, in the recorded order but for ties by rounding."""
    golden, evidence = run.golden, run.evidence[i]
    recorded = golden.truth(f"pool{i}/selected_index")
    rows, labels = chosen.rows.numpy(), chosen.targets.numpy().argmax(axis=-1)
    np.testing.assert_array_equal(labels, golden.truth(f"pool{i}/sel_labels"))
    probs = np.vstack([tf.nn.softmax(logits), np.zeros([golden.way * golden.shot, golden.way])])
    # The original's logits carry rounding noise of 1.2e-4, so a quarter of it in probs.
    np.testing.assert_allclose(probs[rows, labels], probs[recorded, labels], rtol=0, atol=3e-5)
    ours, theirs = np.lexsort([rows, labels]), np.lexsort([recorded, labels])
    np.testing.assert_array_equal(rows[ours], recorded[theirs])
    # Scores follow the same order; the original's float32 run is 1e-4 from its float64 run.
    prototypes = class_prototypes(evidence.support.maps, evidence.support_labels, golden.way)
    scores = run.learner.soft_weighting(prototypes, chosen.features.maps).numpy()[ours]
    truth = golden.truth(f"pool{i}/swn_scores")[theirs]
    assert np.abs(scores - truth).max() < 5e-4 * np.abs(truth).max()


def test_every_stage_matches(run):
    golden, config, training = run.golden, run.config, run.training
    for i, stage in enumerate(training.stages):
        golden.assert_close(stage.path.joined().kernel[-1], f"stage{i}/w5", 1e-4)
        golden.assert_close(stage.path.joined().bias[-1], f"stage{i}/b5", 5e-4)
    golden.assert_close(training.final_path.joined().kernel[-1], "final/w5", 1e-4)
    golden.assert_close(training.final_path.joined().bias[-1], "final/b5", 5e-4)
    assert training.final_path.joined().kernel.shape[0] == config.inner_steps


def test_losses_within_the_stages_match(run):
    golden, config, training = run.golden, run.config, run.training
    query_features, query_labels = run.features.query
    for i, stage in enumerate(training.stages):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.repeat(query_labels[tf.newaxis], config.steps_per_stage, axis=0),
            logits=classify(stage.path.joined(), query_features.embeddings),
        )
        # Recorded: after re-training steps 2 and up, then after the whole stage.
        recorded = [*range(1, config.retrain_steps), config.steps_per_stage - 1]
        golden.assert_close(tf.gather(losses, recorded) / golden.shot, f"stage{i}/loss", 2e-4)


def test_accuracies_match_step_by_step(run):
    golden = run.golden
    result = tf.function(EpisodeRun(run.learner, run.config))(run.features)
    np.testing.assert_allclose(result.final, golden.truth("accuracies"), atol=1e-6)
    np.testing.assert_allclose(
        tf.reshape(result.stages, [-1]), golden.truth("recurrent_accuracies"), atol=1e-6
    )
