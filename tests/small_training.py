"""A small learner with its trainer, and episodes of noise for it."""

import keras
import numpy as np

from lst_tf2.config import AdaptationConfig, ModelConfig, OptimizerConfig
from lst_tf2.models.learner import Learner
from lst_tf2.structures import Episode, Examples
from lst_tf2.training.meta_step import MetaTrainer

CONFIG = AdaptationConfig(retrain_steps=2, inner_steps=4)


def random_meta_batch(count=2, seed=0):
    rng = np.random.default_rng(seed)
    means = rng.random((count, 3, 1, 1, 1, 3), np.float32)

    def images(per_class):
        noise = 0.2 * rng.random((count, 3, per_class, 8, 8, 3), np.float32)
        return (means * 0.8 + noise).reshape(count, 3 * per_class, 8, 8, 3)

    def labels(per_class):
        return np.tile(np.repeat(np.arange(3, dtype=np.int32), per_class), (count, 1))

    return Episode(*(Examples(images(k), labels(k)) for k in (1, 4, 3, 0)))


def build_trainer(config=CONFIG, **model):
    # Some initial weights put a pseudo label on the edge, where the loss has a step.
    keras.utils.set_random_seed(0)
    learner = Learner(ModelConfig(filters=(4, 8), image_size=8, **model), way=3)
    learner.start_inner_rates(config.inner_lr)
    return MetaTrainer(learner, config, OptimizerConfig(0.01), OptimizerConfig(0.01))
