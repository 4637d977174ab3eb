"""Compares two logical devices with one; a process of its own, as TensorFlow splits the
processor before its first operation or not at all. Prints the differences as JSON.
"""

import json

import keras
import numpy as np
import tensorflow as tf

from lst_tf2.config import DistributionConfig, ModelConfig, OptimizerConfig
from lst_tf2.distribution.strategy import distribute
from lst_tf2.models.learner import Learner
from lst_tf2.training.distributed_step import DistributedMetaTrainer
from lst_tf2.training.meta_step import MetaTrainer
from tests.small_training import CONFIG, random_meta_batch

STEPS = 5


def build(distribution, trainer):
    """Returns a trainer with the same weights at each call."""
    keras.utils.set_random_seed(0)
    with distribution.scope():
        learner = Learner(ModelConfig(filters=(4, 8), image_size=8), way=3)
        return trainer(learner, CONFIG, OptimizerConfig(0.01), OptimizerConfig(0.01))


def difference(expected, actual):
    """Returns the largest difference in any array, relative to the largest value in it."""
    pairs = zip(tf.nest.flatten(expected), tf.nest.flatten(actual), strict=True)
    return max(
        float(np.abs(np.subtract(left, right)).max() / max(np.abs(left).max(), 1e-30))
        for left, right in pairs
    )


def main():
    """Prints how far the two are apart."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    none, mirrored = (distribute(DistributionConfig(kind)) for kind in ("none", "mirrored"))
    one = build(none, MetaTrainer)
    two = build(mirrored, lambda *parts: DistributedMetaTrainer(mirrored, *parts))
    run = tf.function(lambda batch: mirrored.local(mirrored.strategy.run(two.gradients, (batch,))))
    run_one = tf.function(one.gradients)
    differences = dict.fromkeys(("scalars", "gradients", "state"), 0.0)
    for step in range(STEPS):
        batch = tf.nest.map_structure(tf.constant, random_meta_batch(4, seed=step))
        pairs = {
            "gradients": (run_one(batch), run(mirrored.divide(batch))),
            "scalars": (one.train_step(batch), two.train_step(batch)),
            "state": [
                [np.array(variable) for variable in trainer.named_variables().values()]
                for trainer in (one, two)
            ],
        }
        for name, pair in pairs.items():
            differences[name] = max(differences[name], difference(*pair))
    # Three episodes on two devices: the last group is not full.
    episodes = [tf.nest.map_structure(lambda field, i=i: field[i], batch) for i in range(3)]
    expected = [one.learner(episode.query.inputs) for episode in episodes]
    actual = list(mirrored.map_episodes(lambda e: two.learner(e.query.inputs), episodes))
    differences["episodes"] = difference(expected, actual)
    print(json.dumps(differences | {"replicas": mirrored.num_replicas}))


if __name__ == "__main__":
    main()
