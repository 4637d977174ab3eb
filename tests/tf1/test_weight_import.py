"""The converter, on files written by Python-2-style pickling of the recorded runs' weights.

Also of `cli/convert.py`, `tf1/weight_files.py` and `tf1/variable_names.py`.
"""

import dataclasses

import numpy as np
import pytest

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.models.learner import Learner, name_parts
from lst_tf2.runs.checkpoints import CheckpointStore, restore
from lst_tf2.storage.files import write_json
from lst_tf2.tf1 import weight_export, weight_files, weight_import
from tests.golden import recipe
from tests.golden_files import Golden, images_of
from tests.tf1_graph import SMALL, convert, small_groups, write_npy_files, write_saver_files


@pytest.mark.large
@pytest.mark.parametrize("write", [write_npy_files, write_saver_files])
def test_golden_forward_comes_out_of_both_forms(write):
    golden = Golden("forward_a")
    learner = golden.learner(write)
    golden.assert_close(learner.embed(images_of(golden)).maps, "conv_features", 1e-4)
    golden.assert_close(learner(images_of(golden)), "logits", 1e-4)


@pytest.mark.slow
def test_pretrained_file_becomes_a_backbone_to_start_from(tmp_path):
    weights = recipe.make_weights(3)
    write_npy_files(tmp_path / "old", {"weights": weights}, step=14000)
    convert(tmp_path / "old" / "weights_14000.npy", tmp_path / "new", ModelConfig())
    learner = Learner(ModelConfig(), way=5)
    restore(tmp_path / "new" / "step_14000.npz", name_parts(backbone=learner.backbone))
    first, last = learner.backbone.convs[0], learner.backbone.convs[-1]
    np.testing.assert_array_equal(first.kernel.numpy(), weights["block1_conv1"])
    np.testing.assert_array_equal(last.shift.numpy(), weights["block4_bias3"])
    np.testing.assert_array_equal(last.scale.numpy(), np.ones_like(last.scale.numpy()))


@pytest.mark.parametrize("count", [1, 3, 4])
def test_round_trip_is_bit_identical(tmp_path, count):
    groups = dict(list(small_groups().items())[:count])
    convert(write_npy_files(tmp_path / "old", groups), tmp_path / "new")
    back = weight_export.read_saved_step(tmp_path / "new" / "step_7.npz", 7, SMALL)
    weight_files.write_groups(back.groups, back.step, tmp_path / "back")
    again = weight_import.read_step(weight_files.find_steps(tmp_path / "back")[7], 7, SMALL)
    for group, arrays in groups.items():
        assert arrays.keys() == again.groups[group].keys()
        for name, array in arrays.items():
            assert array.tobytes() == again.groups[group][name].tobytes(), name


def test_converted_learner_goes_on_with_a_new_optimizer(tmp_path):
    groups = small_groups()
    convert(write_npy_files(tmp_path / "old", groups), tmp_path / "new")
    learner = Learner(SMALL, way=3)
    state = learner.named_variables() | {"meta_optimizer/0": learner.classifier.bias}
    assert CheckpointStore(tmp_path / "new", state).restore_newest() == 7
    np.testing.assert_array_equal(learner.classifier.kernel.numpy(), groups["fc_weights"]["w5"])


def test_all_faults_are_named_at_once(tmp_path):
    groups = small_groups()
    del groups["weights"]["block1_conv2"]
    groups["ss_weights"]["extra"] = np.zeros(2, np.float32)
    groups["swn_weights"]["RN_bias1"] = np.zeros(3, np.float32)
    write_npy_files(tmp_path / "old", groups)
    with pytest.raises(InputError) as caught:
        convert(tmp_path / "old", tmp_path / "new")
    for fault in (
        "weights/block1_conv2 is missing",
        "ss_weights/extra is unknown",
        "swn_weights/RN_bias1 has shape (3,), not (64,)",
    ):
        assert fault in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_incomplete_or_foreign_folders_are_refused(tmp_path):
    groups = small_groups()
    write_npy_files(tmp_path / "half", {name: groups[name] for name in ("weights", "fc_weights")})
    with pytest.raises(InputError, match=r"for step 7, found weights, fc_weights; add the missing"):
        convert(tmp_path / "half", tmp_path / "new")
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "half" / "readme.txt"):
        with pytest.raises(MissingInputError, match=r"Expected weights_<n>\.npy"):
            weight_files.find_steps(path)
    write_npy_files(tmp_path / "other", {"weights": {"a": np.zeros(2, np.float32)}})
    with pytest.raises(InputError, match=r"Expected block1_conv1 .*received \['a'\]"):
        convert(tmp_path / "other", tmp_path / "new")


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("block1_conv1", (3, 3, 3, 10**5), "Expected 90000000648 numbers or more .* fetch"),
        ("block1_conv1", (0, 10**9, 1, 10**9), r"filters \(1000000000, 8\), received 12"),
        ("b5", (10**5,), "Expected 800744 numbers or more"),
        ("block2_conv1", (), r"shapes \(3, 3, 3, 4\), \(\); fetch"),
        ("block1_conv1", (3, 3, 3, 0), r"shapes \(3, 3, 3, 0\), \(3, 3, 4, 8\); fetch"),
    ],
)
def test_declared_sizes_must_be_those_of_what_is_there(tmp_path, name, shape, message):
    groups = small_groups()
    # A model of these sizes would take up to 10^19 bytes.
    groups["weights"][name] = np.zeros(shape, np.float32)
    write_npy_files(tmp_path / "old", groups)
    with pytest.raises(InputError, match=message):
        convert(tmp_path / "old", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_runs_trained_here_and_other_models_are_not_overwritten(tmp_path):
    write_npy_files(tmp_path / "old", small_groups())
    convert(tmp_path / "old", tmp_path / "new")
    convert(tmp_path / "old", tmp_path / "new")
    other = dataclasses.replace(SMALL, activation="relu")
    with pytest.raises(InputError, match=r"model of the run in .*activation: leaky_relu there"):
        convert(tmp_path / "old", tmp_path / "new", other)
    settings = {"model": dataclasses.asdict(SMALL), "seed": 0}
    write_json(tmp_path / "new" / "config.json", {"settings": settings})
    before = (tmp_path / "new" / "step_7.npz").stat().st_mtime_ns
    with pytest.raises(InputError, match=r"Expected no run of ours in .* choose another folder"):
        convert(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new" / "step_7.npz").stat().st_mtime_ns == before


def test_steps_of_several_models_need_folders_of_their_own(tmp_path):
    write_npy_files(tmp_path / "old", small_groups())
    read = weight_import.read_step(weight_files.find_steps(tmp_path / "old")[7], 7, SMALL)
    other = dataclasses.replace(read, step=8, model=ModelConfig(filters=(8, 8)))
    weight_import.check_target([read, read], tmp_path / "new")
    with pytest.raises(InputError, match=r"filters \(4, 8\), \(8, 8\); convert one file"):
        weight_import.check_target([read, other], tmp_path / "new")


def test_image_size_must_fit_the_soft_weighting_network(tmp_path):
    write_npy_files(tmp_path / "old", small_groups())
    settings = dataclasses.replace(SMALL, image_size=16)
    with pytest.raises(InputError, match=r"RN_fc_w1 has shape \(4, 8\), not \(16, 8\).*image size"):
        convert(tmp_path / "old", tmp_path / "new", settings)
