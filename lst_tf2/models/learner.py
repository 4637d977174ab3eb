"""The models that training owns: the pre-trained classifier and the meta-learner."""

import keras
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.models.normalizers import Normalizer
from lst_tf2.models.resnet12 import ResNet12
from lst_tf2.models.serializable import Rebuildable, registered
from lst_tf2.models.soft_weighting import SoftWeightingNetwork
from lst_tf2.structures import Classifier, Features


def scale_pixels(images: tf.Tensor) -> tf.Tensor:
    """Returns `images` as float32 in 0..1: uint8 divided by 255, floats as they are."""
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    return tf.cast(images, tf.float32)


class LinearVariables(Rebuildable, keras.layers.Layer):
    """Holds variables like those of a linear classifier, the bias zero at first."""

    kernel_initializer = "zeros"

    def __init__(self, width: int, num_classes: int, **kwargs):
        super().__init__(**kwargs)
        self.width, self.num_classes = width, num_classes
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, num_classes),
            initializer=self.kernel_initializer,
            trainable=True,
        )
        self.bias = self.add_weight(
            name="bias", shape=(num_classes,), initializer="zeros", trainable=True
        )

    def named_variables(self) -> dict:
        """Returns all variables by names that do not depend on Keras."""
        return {"kernel": self.kernel, "bias": self.bias}

    def read(self) -> Classifier:
        """Returns the present values as tensors."""
        return Classifier(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias))


@registered
class LinearHead(LinearVariables):
    """Holds a linear classifier, Glorot-uniform kernel and zero bias."""

    kernel_initializer = "glorot_uniform"

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Returns logits `[B, num_classes]` of `embeddings` `[B, D]`."""
        kernel, bias = self.read()
        return embeddings @ kernel + bias


@registered
class InnerRates(LinearVariables):
    """Holds a learned rate for each parameter of a linear classifier (arXiv:1707.09835)."""

    def fill(self, lr: float) -> None:
        """Sets all rates to `lr`."""
        for variable in self.named_variables().values():
            variable.assign(tf.fill(variable.shape, lr))


def name_parts(**parts) -> dict:
    """Returns the named variables of all `parts`, each name led by its part's."""
    return {
        f"{part}/{name}": variable
        for part, model in parts.items()
        for name, variable in model.named_variables().items()
    }


@registered
class PretrainModel(Rebuildable, keras.Model):
    """Classifies images into all base classes; only its backbone is used afterwards.

    With `num_turns` a second head, `turn_head`, tells by how much an image was turned.
    """

    def __init__(self, config: ModelConfig, num_classes: int, num_turns: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.config, self.num_classes, self.num_turns = config, num_classes, num_turns
        self.backbone = ResNet12(config, name="backbone")
        self.head = LinearHead(config.embedding_width, num_classes, name="head")
        self.turn_head = None
        if num_turns:
            self.turn_head = LinearHead(config.embedding_width, num_turns, name="turn_head")

    @property
    def heads(self) -> dict:
        """The heads by their names."""
        return {"head": self.head} | ({"turn_head": self.turn_head} if self.turn_head else {})

    def named_variables(self) -> dict:
        """Returns all variables by names that do not depend on Keras."""
        return name_parts(backbone=self.backbone, **self.heads)

    @property
    def learned_variables(self) -> list:
        """What pre-training learns: kernels, shifts as biases, and the heads; no scale."""
        heads = name_parts(**self.heads).values()
        return [*self.backbone.kernels, *self.backbone.shifts, *heads]

    @property
    def decayed_variables(self) -> list:
        """Those of them that weight decay shrinks: all kernels."""
        return [*self.backbone.kernels, *(head.kernel for head in self.heads.values())]

    def embed(self, images: tf.Tensor, **kwargs) -> tf.Tensor:
        """Returns embeddings `[B, D]` of `images` `[B, H, W, 3]`; `kwargs` are the backbone's."""
        return tf.reduce_mean(self.backbone(scale_pixels(images), **kwargs), axis=[1, 2])

    def call(
        self, images: tf.Tensor, keep_probability: float = 1.0, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns logits `[B, num_classes]` of `images` `[B, H, W, 3]`."""
        return self.head(self.embed(images, keep_probability=keep_probability, seed=seed))


@registered
class Learner(Rebuildable, keras.Model):
    """Owns backbone, initial classifier and soft weighting network (arXiv:1906.00562).

    With `learn_inner_lr` also `inner_rates`, which are zeros until `start_inner_rates`; else
    they are None.
    """

    def __init__(self, config: ModelConfig, way: int, **kwargs):
        super().__init__(**kwargs)
        self.config, self.way = config, way
        self.backbone = ResNet12(config, name="backbone")
        self.classifier = LinearHead(config.embedding_width, way, name="classifier")
        self.soft_weighting = SoftWeightingNetwork(config, name="soft_weighting")
        self.inner_rates = None
        if config.learn_inner_lr:
            self.inner_rates = InnerRates(config.embedding_width, way, name="inner_rates")

    def named_variables(self) -> dict:
        """Returns all variables by names that do not depend on Keras."""
        return name_parts(
            backbone=self.backbone,
            classifier=self.classifier,
            soft_weighting=self.soft_weighting,
            **self.rate_parts,
        )

    @property
    def rate_parts(self) -> dict:
        """The part `inner_rates` by its name; nothing where they are not learned."""
        return {} if self.inner_rates is None else {"inner_rates": self.inner_rates}

    def start_inner_rates(self, lr: float) -> None:
        """Sets the rates, where they are learned, to what they are before meta-training."""
        for rates in self.rate_parts.values():
            rates.fill(lr)

    def read_inner_rates(self) -> Classifier | None:
        """Returns the rate of each parameter of the classifier; None where none are learned."""
        return None if self.inner_rates is None else self.inner_rates.read()

    @property
    def meta_variables(self) -> list:
        """What the query loss after fine-tuning trains, in a fixed order."""
        head = [self.classifier.kernel, self.classifier.bias]
        rates = name_parts(**self.rate_parts).values()
        return [*self.backbone.scales, *self.backbone.shifts, *head, *rates]

    @property
    def swn_variables(self) -> list:
        """What the query loss after re-training trains, in a fixed order."""
        return list(self.soft_weighting.named_variables().values())

    def embed(self, images: tf.Tensor, normalizer: Normalizer | None = None) -> Features:
        """Returns the features of a batch that shares its normalization statistics.

        Args:
            images: `[B, H, W, 3]`, uint8 in 0..255 or float32 in 0..1.
            normalizer: Normalizes each convolution, in inference; by default the norm of the
                config.
        """
        maps = self.backbone(scale_pixels(images), normalizer=normalizer)
        return Features(maps, tf.reduce_mean(maps, axis=[1, 2]))

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Returns logits `[B, N]` of the initial classifier, before any adaptation."""
        return self.classifier(self.embed(images).embeddings)
