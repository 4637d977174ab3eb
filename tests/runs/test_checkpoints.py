import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import AdaptationConfig, ModelConfig, OptimizerConfig
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.models.learner import Learner, PretrainModel, name_parts
from lst_tf2.runs import checkpoints
from lst_tf2.storage.files import write_json
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


@pytest.mark.slow
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
    assert checkpoints.read_best(tmp_path) == {"step": 30, "val_accuracy": 0.6}
    assert [entry.name for entry in tmp_path.iterdir()] == ["best.npz"]
    assert checkpoints.find_checkpoint(tmp_path, "best") == tmp_path / "best.npz"


def test_checkpoints_are_found_by_name(trainer, tmp_path):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    assert store.restore_newest() == 0
    for step in (5, 100, 20):
        store.save(step)
    assert checkpoints.saved_steps(tmp_path) == [5, 20, 100]
    assert checkpoints.find_checkpoint(tmp_path, "last") == tmp_path / "step_100.npz"
    named = {step: tmp_path / f"step_{step}.npz" for step in checkpoints.saved_steps(tmp_path)}
    assert checkpoints.find_checkpoints(tmp_path) == named
    assert checkpoints.find_checkpoints(named[20]) == {20: named[20]}
    with pytest.raises(MissingInputError, match=r"Expected step_<n>\.npz at .*none"):
        checkpoints.find_checkpoints(tmp_path / "none")
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
    with pytest.raises(InputError, match=r"finite numbers in .*others in classifier/bias; restore"):
        checkpoints.restore(tmp_path / "step_1.npz", trainer.named_variables())


@pytest.mark.slow
def test_damaged_newest_is_set_aside_and_the_run_goes_on_before_it(trainer, tmp_path, capsys):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    store.save(1, validated=1)
    saved = values_of(trainer)
    trainer.train_step(random_meta_batch())
    path = store.save(2, validated=2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert store.restore_newest() == 1
    assert store.record == {"validated": 1}
    for name, value in values_of(trainer).items():
        np.testing.assert_array_equal(value, saved[name], err_msg=name)
    assert (tmp_path / "damaged_step_2.npz").read_bytes() == content
    assert checkpoints.saved_steps(tmp_path) == [1]
    told = capsys.readouterr().err
    assert "step_2.npz, received a damaged file" in told
    assert told.endswith("damaged_step_2.npz, and the run goes on from an earlier one.\n")


def test_cut_best_is_noticed_and_set_aside_when_the_run_goes_on(trainer, tmp_path, capsys):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    store.save_if_best(1, 0.5)
    path = tmp_path / "best.npz"
    path.write_bytes(path.read_bytes()[:-1000])
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    store.restore_newest()
    told = capsys.readouterr().err
    assert "best.npz, received a damaged file" in told
    assert told.endswith("and the best of the validations that follow takes its place.\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["damaged_best.npz"]
    assert store.save_if_best(2, 0.4)


def test_best_of_earlier_versions_counts_with_its_record_beside_it(trainer, tmp_path):
    store = checkpoints.CheckpointStore(tmp_path, trainer.named_variables())
    store.save(1)
    (tmp_path / "step_1.npz").rename(tmp_path / "best.npz")
    write_json(tmp_path / "best.json", {"step": 1, "val_accuracy": 0.5})
    store.restore_newest()
    assert not store.save_if_best(2, 0.4)
    assert store.save_if_best(3, 0.6)
    assert checkpoints.read_best(tmp_path) == {"step": 3, "val_accuracy": 0.6}


def test_other_model_is_refused_and_not_set_aside(trainer, tmp_path):
    checkpoints.CheckpointStore(tmp_path, trainer.named_variables()).save(1)
    wider = Learner(ModelConfig(filters=(4, 9), image_size=8), way=3)
    with pytest.raises(InputError, match="has shape"):
        checkpoints.CheckpointStore(tmp_path, wider.named_variables()).restore_newest()
    assert checkpoints.saved_steps(tmp_path) == [1]


def test_passing_checkpoints_go_when_the_next_is_written(tmp_path):
    variables = {"weight": tf.Variable([1.0])}
    store = checkpoints.CheckpointStore(tmp_path, variables)
    store.save(3, is_kept=False)
    store.save(4)
    store.save(5, is_kept=False)
    store.save(5, is_kept=False)
    assert checkpoints.saved_steps(tmp_path) == [4, 5]
    further = checkpoints.CheckpointStore(tmp_path, variables)
    assert further.restore_newest() == 5
    assert further.record == {}
    further.save(6)
    further.save(7)
    assert checkpoints.saved_steps(tmp_path) == [4, 6, 7]
