"""Meta-test against `tests/golden/metatest_{a,b,i}.npz`, recorded from the original.

a: one shot, overlapping windows; b: distractors; i: two shots, more stages than windows.
"""

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import classify, descend, support_loss
from lst_tf2.adaptation.self_training import build_pool, self_train
from lst_tf2.config import EpisodeConfig, SelfTrainingConfig
from lst_tf2.evaluation.episode import embed_episode, plan_test_windows, run_features
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


@pytest.fixture(scope="module", params=["metatest_a", "metatest_b", "metatest_i"])
def run(request):
    golden = Golden(request.param)
    learner = golden.learner()
    config, windows = settings_of(golden)
    episode = golden.episode(golden.config["tasks"][0])
    features = embed_episode(learner, episode, windows)
    initial = learner.classifier.read()
    training = self_train(
        initial, features.support, features.windows, learner.soft_weighting, config
    )
    return golden, learner, config, features, training


def test_every_pool_matches(run):
    golden, learner, config, features, training = run
    support, windows = features.support, features.windows
    labeler = descend(
        learner.classifier.read(),
        support_loss(support.examples, golden.shot),
        lr=config.inner_lr,
        steps=10,
    )
    for i in range(config.num_stages + 1):
        window = windows[i % len(windows)]
        golden.assert_close(labeler.kernel, f"pool{i}/w5", 1e-4)
        logits = classify(labeler, window.embeddings)
        golden.assert_close(logits, f"pool{i}/logits", 5e-4)
        assert logits.shape[0] == golden.truth(f"pool{i}/size")
        if i < config.num_stages:
            pool = training.stages[i].pool
            labeler = tf.nest.map_structure(lambda path: path[-1], training.stages[i].path)
        else:  # The original builds one more pool than it uses.
            pool = build_pool(labeler, support, window, learner.soft_weighting, config)
        assert_same_selection(pool, logits, golden, i)


def assert_same_selection(pool, logits, golden, i):
    """The recorded rows for each class, in the recorded order but for ties by rounding."""
    recorded = golden.truth(f"pool{i}/selected_index")
    rows, labels = pool.selection.rows.numpy(), pool.selection.labels.numpy()
    np.testing.assert_array_equal(labels, golden.truth(f"pool{i}/sel_labels"))
    probs = np.vstack([tf.nn.softmax(logits), np.zeros([golden.way * golden.shot, golden.way])])
    # The original's logits carry rounding noise of 1.2e-4, so a quarter of it in probs.
    np.testing.assert_allclose(probs[rows, labels], probs[recorded, labels], rtol=0, atol=3e-5)
    ours, theirs = np.lexsort([rows, labels]), np.lexsort([recorded, labels])
    np.testing.assert_array_equal(rows[ours], recorded[theirs])
    # Scores follow the same order; the original's float32 run is 1e-4 from its float64 run.
    scores, truth = pool.scores.numpy()[ours], golden.truth(f"pool{i}/swn_scores")[theirs]
    assert np.abs(scores - truth).max() < 5e-4 * np.abs(truth).max()


def test_every_stage_matches(run):
    golden, _, config, _, training = run
    for i, stage in enumerate(training.stages):
        golden.assert_close(stage.path.kernel[-1], f"stage{i}/w5", 1e-4)
        golden.assert_close(stage.path.bias[-1], f"stage{i}/b5", 5e-4)
    golden.assert_close(training.final_path.kernel[-1], "final/w5", 1e-4)
    golden.assert_close(training.final_path.bias[-1], "final/b5", 5e-4)
    assert training.final_path.kernel.shape[0] == config.inner_steps


def test_losses_within_the_stages_match(run):
    golden, _, config, features, training = run
    embeddings, query_labels = features.query
    for i, stage in enumerate(training.stages):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.repeat(query_labels[tf.newaxis], config.steps_per_stage, axis=0),
            logits=classify(stage.path, embeddings),
        )
        # Recorded: after re-training steps 2 and up, then after the whole stage.
        recorded = [*range(1, config.retrain_steps), config.steps_per_stage - 1]
        golden.assert_close(tf.gather(losses, recorded) / golden.shot, f"stage{i}/loss", 2e-4)


def test_accuracies_match_step_by_step(run):
    golden, learner, config, features, _ = run
    result = tf.function(run_features)(learner, features, config)
    np.testing.assert_allclose(result.final, golden.truth("accuracies"), atol=1e-6)
    np.testing.assert_allclose(
        tf.reshape(result.stages, [-1]), golden.truth("recurrent_accuracies"), atol=1e-6
    )
