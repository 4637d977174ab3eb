import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.pseudo_labels import Selection
from lst_tf2.adaptation.self_training import Pool
from lst_tf2.config import EpisodeConfig, SelfTrainingConfig
from lst_tf2.errors import InputError
from lst_tf2.evaluation.episode import plan_test_windows, pseudo_label_accuracy
from lst_tf2.structures import Examples


def plan(protocol, *, shot=1, distractors=0, unlabeled=100, per_stage=30):
    episode = EpisodeConfig(
        shot=shot, unlabeled_per_class=unlabeled, num_distractor_classes=distractors
    )
    return plan_test_windows(episode, SelfTrainingConfig(unlabeled_per_stage=per_stage), protocol)


def test_paper_windows_overlap_at_one_shot_alone():
    assert [w.unlabeled for w in plan("paper")] == [
        (0, 150), (75, 225), (150, 300), (225, 375), (300, 450),
    ]  # fmt: skip
    assert [w.unlabeled for w in plan("paper", shot=5)] == [(0, 150), (150, 300), (300, 450)]


def test_distractors_are_apart_in_the_paper_and_mixed_in_the_standard():
    first, second, *_ = plan("paper", distractors=3)
    assert (first.unlabeled, first.distractors) == ((0, 150), (0, 90))
    assert (second.unlabeled, second.distractors) == ((75, 225), (45, 135))
    windows = plan("standard", distractors=3)
    assert [w.unlabeled for w in windows[:2]] == [(0, 240), (120, 360)]
    assert {w.distractors for w in windows} == {(0, 0)}
    assert len(windows) == len(plan("standard"))


def test_window_larger_than_the_images_is_refused():
    with pytest.raises(
        InputError, match="unlabeled_per_stage of at most unlabeled_per_class=20, received 30"
    ):
        plan("paper", unlabeled=20)


def test_pseudo_label_accuracy_counts_unlabeled_rows_and_distractors():
    labels = tf.constant([0, 1, -1, 1])  # Row 2 is a distractor; rows 4 and 5 are support.
    selection = Selection(tf.constant([0, 2, 4, 1, 3, 5]), tf.constant([0, 0, 0, 1, 0, 1]))
    pool = Pool(selection, Examples(tf.zeros([6, 2]), selection.labels), tf.zeros([6, 2]))
    assert float(pseudo_label_accuracy(pool, labels)) == pytest.approx(2 / 4)
    support_only = Selection(tf.constant([4, 5]), tf.constant([0, 1]))
    pool = Pool(support_only, Examples(tf.zeros([2, 2]), support_only.labels), tf.zeros([2, 2]))
    assert np.isnan(pseudo_label_accuracy(pool, labels))
