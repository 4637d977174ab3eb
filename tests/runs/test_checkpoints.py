import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import AdaptationConfig, ModelConfig, OptimizerConfig
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.models.learner import Learner, PretrainModel, name_parts
from lst_tf2.runs import checkpoints
from lst_tf2.structures import Episode, Examples
from lst_tf2.training.meta_step import MetaTrainer

SMALL = ModelConfig(filters=(4, 8), image_size=8)


def random_meta_batch():
    rng = np.random.default_rng(0)

    def images(count):
        return rng.random((1, count, 8, 8, 3), np.float32)

    labels = np.array([[0, 1, 2]], np.int32)
    sets = [Examples(images(3), labels)] * 3
    return Episode(*sets, Examples(images(0), labels[:, :0]))


@pytest.fixture(name="trainer")
def fixture_trainer():
    config = AdaptationConfig(retrain_steps=1, inner_steps=2)
    return MetaTrainer(Learner(SMALL, way=3), config, OptimizerConfig(), OptimizerConfig())


def values_of(trainer):
    return {name: variable.numpy() for name, variable in trainer.named_variables().items()}


def test_whole_state_survives(trainer, tmp_path):
    trainer.train_step(random_meta_batch())
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    saved = values_of(trainer)
    store.save(1)
    trainer.train_step(random_meta_batch())
    moved = values_of(trainer)
    assert not np.array_equal(saved["classifier/kernel"], moved["classifier/kernel"])
    assert store.restore_newest() == 1
    for name, value in values_of(trainer).items():
        np.testing.assert_array_equal(value, saved[name], err_msg=name)


def test_every_weight_and_slot_is_in_the_file(trainer, tmp_path):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    store.save(0)
    arrays = checkpoints.read_arrays(tmp_path / "step_0.npz")
    learner = trainer.learner
    slots = 2 * (len(learner.meta_variables) + len(learner.swn_variables))
    assert len(arrays) >= len(learner.variables) + slots + 2
    assert len([name for name in arrays if name.startswith("backbone/")]) == 2 * (3 * 3 + 1)


@pytest.mark.slow
def test_step_after_restoring_is_the_same(trainer, tmp_path):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    trainer.train_step(random_meta_batch())
    store.save(1)
    first = trainer.train_step(random_meta_batch())
    expected = values_of(trainer)
    store.restore_newest()
    second = trainer.train_step(random_meta_batch())
    assert float(first["finetune_query_loss"]) == float(second["finetune_query_loss"])
    for name, value in values_of(trainer).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_backbone_comes_from_pretraining(tmp_path):
    pretrained = PretrainModel(SMALL, 6)
    checkpoints.CheckpointStore(tmp_path, pretrained.named_variables()).save(7)
    learner = Learner(SMALL, way=3)
    checkpoints.restore(tmp_path / "step_7.npz", name_parts(backbone=learner.backbone))
    images = np.random.default_rng(1).random((4, 8, 8, 3), np.float32)
    expected = tf.reduce_mean(pretrained.backbone(images), axis=[1, 2])
    np.testing.assert_array_equal(learner.embed(images).embeddings, expected)


def test_best_is_kept(trainer, tmp_path):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    assert store.save_if_best(10, 0.5)
    assert not store.save_if_best(20, 0.5)
    assert store.save_if_best(30, 0.6)
    assert checkpoints.read_json(tmp_path / "best.json") == {"step": 30, "val_accuracy": 0.6}
    assert checkpoints.find_checkpoint(tmp_path, "best") == tmp_path / "best.npz"


def test_checkpoints_are_found_by_name(trainer, tmp_path):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    assert store.restore_newest() == 0
    for step in (5, 100, 20):
        store.save(step)
    assert checkpoints.saved_steps(tmp_path) == [5, 20, 100]
    assert checkpoints.find_checkpoint(tmp_path, "last") == tmp_path / "step_100.npz"
    assert checkpoints.find_checkpoint(tmp_path, "20") == tmp_path / "step_20.npz"
    with pytest.raises(MissingInputError, match=r"test_iter=7.*saved steps: 5, 20, 100"):
        checkpoints.find_checkpoint(tmp_path, "7")
    with pytest.raises(MissingInputError, match=r"best\.npz"):
        checkpoints.find_checkpoint(tmp_path, "best")
    with pytest.raises(InputError, match="a number, `best` or `last`, received '-1'"):
        checkpoints.find_checkpoint(tmp_path, "-1")


def test_other_models_are_refused_with_all_faults(trainer, tmp_path):
    checkpoints.CheckpointStore(tmp_path, trainer.named_variables()).save(1)
    wider = Learner(ModelConfig(filters=(4, 9), image_size=8), way=3)
    before = [variable.numpy() for variable in wider.variables]
    with pytest.raises(InputError, match=r"block2/shortcut has shape .*classifier/kernel has"):
        checkpoints.restore(tmp_path / "step_1.npz", wider.named_variables())
    for variable, value in zip(wider.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    deeper = Learner(ModelConfig(filters=(4, 8, 8), image_size=8), way=3)
    with pytest.raises(InputError, match="backbone/block3/shortcut is missing"):
        checkpoints.restore(tmp_path / "step_1.npz", deeper.named_variables())
    with pytest.raises(InputError, match="meta_optimizer/0 is unknown"):
        checkpoints.restore(
            tmp_path / "step_1.npz", trainer.learner.named_variables(), only_these=True
        )


@pytest.mark.parametrize("keep", [0, 10, 2000, -1])
def test_truncated_file_is_refused(trainer, tmp_path, keep):
    checkpoints.CheckpointStore(tmp_path, trainer.named_variables()).save(1)
    path = tmp_path / "step_1.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="received a damaged file"):
        checkpoints.read_arrays(path)


def test_missing_file_names_the_saved_steps(trainer, tmp_path):
    checkpoints.CheckpointStore(tmp_path, trainer.named_variables()).save(3)
    with pytest.raises(MissingInputError, match=r"step_4.npz, found none .saved steps there: 3"):
        checkpoints.read_arrays(tmp_path / "step_4.npz")


def test_weights_that_are_not_finite_are_refused(trainer, tmp_path):
    trainer.learner.classifier.bias.assign([0.0, np.nan, 0.0])
    checkpoints.CheckpointStore(tmp_path, trainer.named_variables()).save(1)
    with pytest.raises(InputError, match="classifier/bias is not finite"):
        checkpoints.restore(tmp_path / "step_1.npz", trainer.named_variables())


@pytest.mark.parametrize("content", ["{}", "[]", '{"step": 1, "val_accuracy": null}'])
def test_damaged_record_of_the_best_is_refused(trainer, tmp_path, content):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    store.save_if_best(1, 0.5)
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(InputError, match=r"best\.json"):
        store.save_if_best(2, 0.6)
