"""The way back: our checkpoints as files of the original program."""

import dataclasses

import numpy as np
import pytest

from lst_tf2.errors import InputError
from lst_tf2.models.learner import Learner, PretrainModel
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.tf1 import weight_export, weight_files, weight_report
from tests.tf1_graph import SMALL


def test_our_checkpoints_become_the_originals_files(tmp_path):
    learner = Learner(SMALL, way=3)
    CheckpointStore(tmp_path / "run", learner.named_variables()).save(5)
    back = weight_export.read_saved_step(tmp_path / "run" / "step_5.npz", 5, SMALL)
    assert back.kind == "LST checkpoint"
    shift = learner.backbone.convs[0].shift.numpy()
    np.testing.assert_array_equal(back.groups["weights"]["block1_bias1"], shift)
    weight_files.write_groups(back.groups, back.step, tmp_path / "old")
    weight_report.verify(back, tmp_path / "old", to_tf1=True)
    pretrained = PretrainModel(SMALL, 6)
    CheckpointStore(tmp_path / "pre", pretrained.named_variables()).save(5)
    back = weight_export.read_saved_step(tmp_path / "pre" / "step_5.npz", 5, SMALL)
    assert back.kind == "pre-trained backbone"
    assert back.groups["weights"]["w5"].shape == (8, 6)


def test_filters_keep_the_order_of_the_blocks(tmp_path):
    model = dataclasses.replace(SMALL, filters=(8, 4))
    CheckpointStore(tmp_path, Learner(model, way=3).named_variables()).save(5)
    assert weight_export.read_saved_step(tmp_path / "step_5.npz", 5, SMALL).model == model


def test_learned_rates_are_refused(tmp_path):
    learner = Learner(dataclasses.replace(SMALL, learn_inner_lr=True), way=3)
    CheckpointStore(tmp_path, learner.named_variables()).save(5)
    with pytest.raises(InputError, match=r"one rate for all inner steps in .*learned ones"):
        weight_export.read_saved_step(tmp_path / "step_5.npz", 5, SMALL)


def test_incomplete_checkpoints_are_refused(tmp_path):
    path = tmp_path / "step_5.npz"
    np.savez(path, a=np.zeros(2))
    with pytest.raises(InputError, match=r"Expected a backbone in .*received \['a'\]"):
        weight_export.read_saved_step(path, 5, SMALL)
    arrays = {name: v.numpy() for name, v in Learner(SMALL, way=3).named_variables().items()}
    del arrays["classifier/bias"]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"Expected classifier/bias in .* for fc_weights/b5"):
        weight_export.read_saved_step(path, 5, SMALL)
    arrays["backbone/block1/conv1/kernel"] = np.zeros((0, 3, 3, 10**6), np.float32)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"numbers or more for a backbone .*1000000"):
        weight_export.read_saved_step(path, 5, SMALL)
