"""Meta-training with the optimizers of tensorflow-addons: `make test-addons`."""

import numpy as np
import pytest

from lst_tf2.config import ModelConfig, OptimizerConfig
from lst_tf2.models.learner import Learner
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.training.meta_step import MetaTrainer
from tests.small_training import CONFIG, random_meta_batch

pytest.importorskip("tensorflow_addons", reason="tensorflow-addons is an extra")

NAMES = [
    "Addons>RectifiedAdam",
    "Addons>LAMB",
    "Addons>Lookahead(Adam)",
    "Addons>Lookahead(Addons>RectifiedAdam)",
]


def build_trainer(name):
    learner = Learner(ModelConfig(filters=(4, 8), image_size=8), way=3)
    optimizer = OptimizerConfig(0.01, name=name)
    return MetaTrainer(learner, CONFIG, optimizer, optimizer)


@pytest.mark.parametrize("name", NAMES)
def test_meta_steps_learn(name):
    trainer, batch = build_trainer(name), random_meta_batch()
    kernel = trainer.learner.classifier.kernel.numpy()
    losses = [float(trainer.train_step(batch)["finetune_query_loss"]) for _ in range(12)]
    assert np.abs(trainer.learner.classifier.kernel.numpy() - kernel).max() > 1e-3
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_resumed_run_equals_one_never_stopped(name, tmp_path):
    batches = [random_meta_batch(seed=i) for i in range(4)]
    whole = build_trainer(name)
    start = {key: value.numpy() for key, value in whole.named_variables().items()}
    for batch in batches:
        whole.train_step(batch)
    stopped = build_trainer(name)
    for key, variable in stopped.named_variables().items():
        variable.assign(start[key])
    for batch in batches[:2]:
        stopped.train_step(batch)
    CheckpointStore(tmp_path, stopped.named_variables()).save(2)
    resumed = build_trainer(name)
    assert CheckpointStore(tmp_path, resumed.named_variables()).restore_newest() == 2
    for batch in batches[2:]:
        resumed.train_step(batch)
    for key, variable in whole.named_variables().items():
        np.testing.assert_allclose(
            resumed.named_variables()[key].numpy(), variable.numpy(), rtol=1e-5, err_msg=key
        )
