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
from tests.golden_files import IS_DOUBLE, Golden

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


def test_embeddings_match(run):
    for name in ("support", "query"):
        embeddings = getattr(run.features, name).inputs.embeddings
        run.golden.assert_close(embeddings, f"emb_{name}", 4e-5)


def test_every_pool_matches(run):
    golden = run.golden
    for i, evidence in enumerate(run.evidence):
        golden.assert_close(evidence.labeler.kernel, f"pool{i}/w5", 5e-5)
        golden.assert_close(evidence.labeler.bias, f"pool{i}/b5", 2.5e-4)
        logits = classify(evidence.labeler, evidence.unlabeled.embeddings)
        golden.assert_close(logits, f"pool{i}/logits", 1.5e-4)
        assert logits.shape[0] == golden.truth(f"pool{i}/size")
        counts = np.bincount(np.argmax(logits, axis=-1), minlength=golden.way)
        np.testing.assert_array_equal(counts, golden.truth(f"pool{i}/pred_counts"))


def test_every_selection_matches(run):
    for i in range(run.config.num_stages):
        assert_same_selection(run, run.training.stages[i].chosen, i)
    # The original chooses once more than it uses.
    chosen = choose(load_method(run.config, run.learner), run.evidence[-1])
    assert_same_selection(run, chosen, run.config.num_stages)


def assert_same_selection(run, chosen, i):
    """The recorded rows for each class, in the recorded order but for ties by rounding."""
    golden, evidence = run.golden, run.evidence[i]
    recorded = golden.truth(f"pool{i}/selected_index")
    rows, labels = chosen.rows.numpy(), chosen.targets.numpy().argmax(axis=-1)
    np.testing.assert_array_equal(labels, golden.truth(f"pool{i}/sel_labels"))
    if IS_DOUBLE:
        np.testing.assert_array_equal(rows, recorded)
    logits = classify(evidence.labeler, evidence.unlabeled.embeddings)
    probs = np.vstack([tf.nn.softmax(logits), np.zeros([golden.way * golden.shot, golden.way])])
    # The original's logits carry rounding noise of 1.2e-4, so a quarter of it in probs.
    np.testing.assert_allclose(probs[rows, labels], probs[recorded, labels], rtol=0, atol=3e-5)
    ours, theirs = np.lexsort([rows, labels]), np.lexsort([recorded, labels])
    np.testing.assert_array_equal(rows[ours], recorded[theirs])
    # Scores follow the same order.
    prototypes = class_prototypes(evidence.support.maps, evidence.support_labels, golden.way)
    scores = run.learner.soft_weighting(prototypes, chosen.features.maps).numpy()
    golden.assert_close(scores[ours[np.argsort(theirs)]], f"pool{i}/swn_scores", 5e-4)


def test_every_stage_matches(run):
    golden, config, training = run.golden, run.config, run.training
    embeddings = run.features.query.inputs.embeddings
    for i, stage in enumerate(training.stages):
        last = stage.path.last(run.evidence[i].initial)
        golden.assert_close(last.kernel, f"stage{i}/w5", 5e-5)
        golden.assert_close(last.bias, f"stage{i}/b5", 2.5e-4)
    golden.assert_close(classify(last, embeddings), "final_stage_last/query_logits", 1e-4)
    final = training.final_path.last(last)
    golden.assert_close(final.kernel, "final/w5", 5e-5)
    golden.assert_close(final.bias, "final/b5", 2.5e-4)
    golden.assert_close(classify(final, embeddings), "final/query_logits", 8e-5)
    assert len(training.final_path) == config.inner_steps


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
        golden.assert_close(tf.gather(losses, recorded) / golden.shot, f"stage{i}/loss", 1.2e-4)


def test_accuracies_match_step_by_step(run):
    golden = run.golden
    result = tf.function(EpisodeRun(run.learner, run.config))(run.features)
    golden.assert_close(result.final, "accuracies", 1e-6)
    golden.assert_close(tf.reshape(result.stages, [-1]), "recurrent_accuracies", 1e-6)
    for i in range(run.config.num_stages):
        golden.assert_close(result.stages[i], f"stage{i}/acc", 1e-6)
