import pytest

from lst_tf2.config import EpisodeConfig, SelfTrainingConfig
from lst_tf2.errors import InputError
from lst_tf2.evaluation.episode import plan_test_windows


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
