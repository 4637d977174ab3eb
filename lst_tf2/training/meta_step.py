"""One step of meta-training: two losses, two gradients, two optimizers."""

from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import (
    Path,
    accuracy,
    classify,
    summed_cross_entropy,
    unrolled_path,
    with_rates,
)
from lst_tf2.adaptation.method import Evidence, Method, PseudoLabeled
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import (
    Stage,
    first_evidence,
    fit,
    last_choice,
    pseudo_label_accuracy,
)
from lst_tf2.config import AdaptationConfig, OptimizerConfig
from lst_tf2.models.learner import Learner
from lst_tf2.runs.checkpoints import optimizer_variables
from lst_tf2.structures import Episode, Examples
from lst_tf2.training.gradients import LossScale, apply_if_finite, gradients_of
from lst_tf2.training.optimizers import build_optimizer


class QueryResults(NamedTuple):
    """Holds what the query set says, losses summed over queries and divided by the shot."""

    retrain_query_loss: tf.Tensor  # trains the soft weighting network
    finetune_query_loss: tf.Tensor  # trains scale, shift, initial classifier and inner rates
    accuracy: tf.Tensor  # after fine-tuning, 0..1


def pseudo_label(
    learner: Learner, method: Method, episode: Episode, config: AdaptationConfig
) -> tuple[Evidence, PseudoLabeled]:
    """Embeds support and unlabeled images, and chooses what the last stage trains on.

    The losses have no gradient through any of it, so it is computed outside their tape.
    """
    support = episode.support.map_inputs(learner.embed)
    unlabeled = learner.embed(episode.unlabeled.inputs)
    initial, rates = learner.classifier.read(), learner.read_inner_rates()
    evidence = first_evidence(support, unlabeled, initial, config, rates)
    return last_choice(method, evidence, config.num_stages)


def adapt_classifier(
    learner: Learner, method: Method, evidence: Evidence, chosen: PseudoLabeled
) -> Stage:
    """Adapts the classifier.

    Differentiable with respect to it, to learned rates and to the weights of `chosen`.
    """
    descend = with_rates(unrolled_path, learner.read_inner_rates())
    evidence = evidence._replace(initial=learner.classifier.read(), descend=descend)
    return fit(method, evidence, chosen)


def query_results(
    learner: Learner, path: Path, query: Examples, shot: int, config: AdaptationConfig
) -> QueryResults:
    """Returns losses and accuracy of a stage's classifiers on the query set."""
    embeddings = learner.embed(query.inputs).embeddings
    initial = learner.classifier.read()
    retrained_logits = classify(path.after(config.retrain_steps, initial), embeddings)
    finetuned_logits = classify(path.last(initial), embeddings)
    return QueryResults(
        retrain_query_loss=summed_cross_entropy(retrained_logits, query.labels, shot),
        finetune_query_loss=summed_cross_entropy(finetuned_logits, query.labels, shot),
        accuracy=accuracy(finetuned_logits, query.labels),
    )


def scalars_of(
    results: QueryResults, chosen: PseudoLabeled, episode: Episode
) -> dict[str, tf.Tensor]:
    """Returns the scalars that a step reports.

    Of pseudo labels, those of distractors count as wrong; if there are none, none is right.
    """
    right = pseudo_label_accuracy(chosen, episode.unlabeled.labels)
    right = tf.where(tf.math.is_nan(right), 0.0, right)
    return {**results._asdict(), "pseudo_label_accuracy": right}


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
        self.method = load_method(adaptation, learner)
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
        return tf.map_fn(self.episode_gradients, meta_batch, fn_output_signature=signature)

    def apply(self, meta_gradients: list, swn_gradients: list) -> None:
        """Moves the weights by the gradients that `gradients` returns."""
        learner = self.learner
        self.meta_optimizer.apply_gradients(
            zip(meta_gradients, learner.meta_variables, strict=True)
        )
        self.swn_optimizer.apply_gradients(zip(swn_gradients, learner.swn_variables, strict=True))

    def episode_gradients(self, episode: Episode) -> tuple[dict, list, list]:
        """Returns scalars and both sets of gradients of one episode, as `gradients` does."""
        evidence, chosen = pseudo_label(self.learner, self.method, episode, self.adaptation)
        with tf.GradientTape(persistent=True) as tape:
            results, _ = self._adapt_and_classify(episode, evidence, chosen)
        scale = self.loss_scale.scale if self.loss_scale else None
        meta_gradients = gradients_of(
            tape, results.finetune_query_loss, self.learner.meta_variables, scale
        )
        # Nothing of this loss goes through the backbone.
        swn_gradients = gradients_of(tape, results.retrain_query_loss, self.learner.swn_variables)
        return scalars_of(results, chosen, episode), meta_gradients, swn_gradients

    def _train_step(self, meta_batch: Episode) -> dict[str, tf.Tensor]:
        scalars, *gradients = self.reported_gradients(meta_batch)

        def apply() -> None:
            self.apply(*gradients)

        if not self.loss_scale:  # A step that fails leaves the weights as they were.
            apply_if_finite(scalars.values(), apply)
            return scalars
        is_finite = self.loss_scale.apply_if_finite(tf.nest.flatten(gradients), apply)
        norms = {n: tf.where(is_finite, v, 0.0) for n, v in scalars.items() if "norm" in n}
        return scalars | norms | {"loss_scale": self.loss_scale.scale.read_value()}

    def reported_gradients(self, meta_batch: Episode) -> tuple[dict, list, list]:
        """Returns what `gradients` does, with the norms of both sets among the scalars."""
        scalars, meta_gradients, swn_gradients = self.gradients(meta_batch)
        norms = {
            "meta_gradient_norm": tf.linalg.global_norm(meta_gradients),
            "swn_gradient_norm": tf.linalg.global_norm(swn_gradients),
        }
        return scalars | norms, meta_gradients, swn_gradients

    def _validate_step(self, episode: Episode) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        evidence, chosen = pseudo_label(self.learner, self.method, episode, self.adaptation)
        results, soft_weights = self._adapt_and_classify(episode, evidence, chosen)
        return scalars_of(results, chosen, episode), soft_weights

    def _adapt_and_classify(
        self, episode: Episode, evidence: Evidence, chosen: PseudoLabeled
    ) -> tuple[QueryResults, tf.Tensor]:
        """Returns the losses with the accuracy, and the weights of the logits `[R, N]`."""
        stage = adapt_classifier(self.learner, self.method, evidence, chosen)
        results = query_results(
            self.learner, stage.path, episode.query, evidence.shot, self.adaptation
        )
        return results, stage.chosen.logit_weights
