"""One step of meta-training: two losses, two gradients, two optimizers."""

from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import WEIGH, shot_of
from lst_tf2.adaptation.meta_objective import QueryResults, adapt, judge, pseudo_label
from lst_tf2.adaptation.pseudo_labels import class_prototypes
from lst_tf2.config import AdaptationConfig, OptimizerConfig
from lst_tf2.models.learner import Learner
from lst_tf2.runs.checkpoints import optimizer_variables
from lst_tf2.structures import Episode, Examples, Features
from lst_tf2.training.gradients import LossScale, gradients_of
from lst_tf2.training.optimizers import build_optimizer


class Context(NamedTuple):
    """Holds what an episode's labeled and unlabeled images give; constants of the step."""

    support: Features
    unlabeled: Features
    prototypes: tf.Tensor  # [N, H, W, D]
    pseudo_labels: tf.Tensor  # [U] int32


def observe(learner: Learner, episode: Episode, config: AdaptationConfig) -> Context:
    """Embeds support and unlabeled images and pseudo-labels the latter.

    The losses have no gradient through any of it, so it is computed outside their tape.
    """
    support = learner.embed(episode.support_images)
    unlabeled = learner.embed(episode.unlabeled_images)
    initial = learner.classifier.read()
    examples = Examples(support.embeddings, episode.support_labels)
    return Context(
        support,
        unlabeled,
        class_prototypes(support.maps, episode.support_labels, initial.bias.shape[0]),
        pseudo_label(initial, examples, unlabeled.embeddings, config),
    )


def query(
    learner: Learner, episode: Episode, context: Context, config: AdaptationConfig
) -> tuple[QueryResults, tf.Tensor]:
    """Adapts the classifier and judges it on the query set.

    Returns:
        The losses with the accuracy, and the weights of the logits `[U, N]`, 0..1.
    """
    scores = learner.soft_weighting(context.prototypes, context.unlabeled.maps)
    soft_weights = WEIGH[config.weighting](scores)
    initial = learner.classifier.read()
    adapted = adapt(
        initial,
        Examples(context.support.embeddings, episode.support_labels),
        Examples(context.unlabeled.embeddings, context.pseudo_labels),
        soft_weights,
        config,
    )
    query_embeddings = learner.embed(episode.query_images).embeddings
    examples = Examples(query_embeddings, episode.query_labels)
    return judge(adapted, examples, shot_of(episode.support_labels, initial)), soft_weights


def summarize(results: QueryResults, context: Context, episode: Episode) -> dict[str, tf.Tensor]:
    """Returns the scalars that a step reports."""
    hits = tf.cast(context.pseudo_labels == episode.unlabeled_labels, tf.float32)
    return {**results._asdict(), "pseudo_label_accuracy": tf.reduce_mean(hits)}


class MetaTrainer:
    """Owns the learner's two optimizers and the compiled steps.

    Meta-training averages over the episodes of a meta-batch; each episode's gradients
    are taken by themselves and summed, which is the gradient of the sum and keeps the
    graph and the memory those of one episode.
    """

    def __init__(
        self,
        learner: Learner,
        adaptation: AdaptationConfig,
        optimizer: OptimizerConfig,
        swn_optimizer: OptimizerConfig,
        *,
        jit_compile: bool = False,
    ):
        self.learner = learner
        self.adaptation = adaptation
        self.loss_scale = LossScale() if learner.backbone.precision == "float16" else None
        self.meta_optimizer = build_optimizer(optimizer, learner.meta_variables)
        self.swn_optimizer = build_optimizer(swn_optimizer, learner.swn_variables)
        # Nothing here depends on the value of a tensor; AutoGraph would only add to the start.
        options = {"jit_compile": jit_compile, "autograph": False}
        self.train_step = tf.function(self._train_step, **options)
        self.validate_step = tf.function(self._validate_step, **options)

    def named_variables(self) -> dict:
        """Returns the state of the run by names: all weights and both optimizers."""
        return (
            self.learner.named_variables()
            | optimizer_variables("meta_optimizer", self.meta_optimizer)
            | optimizer_variables("swn_optimizer", self.swn_optimizer)
            | (self.loss_scale.named_variables() if self.loss_scale else {})
        )

    def gradients(self, meta_batch: Episode) -> tuple[dict, list, list]:
        """Returns the mean scalars and both sets of gradients at the present point.

        Args:
            meta_batch: Episodes along a leading axis `T`.

        Returns:
            Scalars by name, gradients of `finetune_query_loss` for
            `learner.meta_variables`, and of `retrain_query_loss` for
            `learner.swn_variables`.
        """
        results = self.episode_results(meta_batch)
        return tf.nest.map_structure(lambda values: tf.reduce_mean(values, axis=0), results)

    def episode_results(self, meta_batch: Episode) -> tuple[dict, list, list]:
        """Returns the same for each episode by itself, along a leading axis `T`."""
        scalars = ("retrain_query_loss", "finetune_query_loss", "accuracy", "pseudo_label_accuracy")
        signature = (
            {name: tf.TensorSpec([], tf.float32) for name in scalars},
            [tf.TensorSpec(v.shape, tf.float32) for v in self.learner.meta_variables],
            [tf.TensorSpec(v.shape, tf.float32) for v in self.learner.swn_variables],
        )
        return tf.map_fn(self._episode_gradients, meta_batch, fn_output_signature=signature)

    def apply(self, meta_gradients: list, swn_gradients: list) -> None:
        """Moves the weights by the gradients that `gradients` returns."""
        learner = self.learner
        self.meta_optimizer.apply_gradients(
            zip(meta_gradients, learner.meta_variables, strict=True)
        )
        self.swn_optimizer.apply_gradients(zip(swn_gradients, learner.swn_variables, strict=True))

    def _episode_gradients(self, episode: Episode) -> tuple[dict, list, list]:
        context = observe(self.learner, episode, self.adaptation)
        with tf.GradientTape(persistent=True) as tape:
            results, _ = query(self.learner, episode, context, self.adaptation)
        scale = self.loss_scale.scale if self.loss_scale else None
        meta_gradients = gradients_of(
            tape, results.finetune_query_loss, self.learner.meta_variables, scale
        )
        # Nothing of this loss goes through the backbone.
        swn_gradients = gradients_of(tape, results.retrain_query_loss, self.learner.swn_variables)
        return summarize(results, context, episode), meta_gradients, swn_gradients

    def _train_step(self, meta_batch: Episode) -> dict[str, tf.Tensor]:
        scalars, meta_gradients, swn_gradients = self.gradients(meta_batch)
        norms = {
            "meta_gradient_norm": tf.linalg.global_norm(meta_gradients),
            "swn_gradient_norm": tf.linalg.global_norm(swn_gradients),
        }
        if not self.loss_scale:
            self.apply(meta_gradients, swn_gradients)
            return scalars | norms
        is_finite = self.loss_scale.apply_if_finite(
            [*meta_gradients, *swn_gradients], lambda: self.apply(meta_gradients, swn_gradients)
        )
        norms = {name: tf.where(is_finite, norm, 0.0) for name, norm in norms.items()}
        return scalars | norms | {"loss_scale": self.loss_scale.scale.read_value()}

    def _validate_step(self, episode: Episode) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        context = observe(self.learner, episode, self.adaptation)
        results, soft_weights = query(self.learner, episode, context, self.adaptation)
        return summarize(results, context, episode), soft_weights
