"""The soft weighting network with its first convolution split, beside the plain form."""

import numpy as np
import tensorflow as tf

from benchmarks.timing import paired
from lst_tf2.config import ModelConfig
from lst_tf2.models.layers import convolve
from lst_tf2.models.soft_weighting import SoftWeightingNetwork


class PlainSoftWeighting(SoftWeightingNetwork):
    """Convolves every pair of an unlabeled map and a prototype, as it is written down."""

    def _join(self, prototypes: tf.Tensor, unlabeled_maps: tf.Tensor) -> tf.Tensor:
        way, count = len(prototypes), len(unlabeled_maps)
        pairs = tf.concat(
            [
                tf.tile(unlabeled_maps, [way, 1, 1, 1]),
                tf.repeat(prototypes, count, axis=0),
            ],
            axis=-1,
        )
        joined = convolve(pairs, self.conv1_kernel) + tf.convert_to_tensor(self.conv1_bias)
        return tf.reshape(joined, [way, count, *joined.shape[1:]])


def time_forms(model: ModelConfig, rounds: int) -> dict[str, float]:
    """Returns seconds of both forms on 100 selected images of 5 classes, and their ratio."""
    rng = np.random.default_rng(0)
    shape = (model.map_side, model.map_side, model.embedding_width)
    prototypes, maps = (tf.constant(rng.normal(size=(n, *shape)), tf.float32) for n in (5, 100))
    split, plain = SoftWeightingNetwork(model), PlainSoftWeighting(model)
    for name, variable in plain.named_variables().items():
        variable.assign(split.named_variables()[name])
    calls = {}
    for name, network in (("split", split), ("plain", plain)):
        run = tf.function(network.call)
        calls[name] = lambda run=run: run(prototypes, maps).numpy()
    np.testing.assert_allclose(calls["split"](), calls["plain"](), rtol=1e-3, atol=1e-4)
    seconds = paired(calls, rounds)
    return seconds | {"ratio": seconds["plain"] / seconds["split"]}
