"""The two query losses of meta-training (arXiv:1906.00562, section 4)."""

from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import (
    accuracy,
    classify,
    descend,
    retrain_loss,
    shot_of,
    summed_cross_entropy,
    support_loss,
)
from lst_tf2.config import AdaptationConfig
from lst_tf2.structures import Classifier, Examples


class AdaptedClassifiers(NamedTuple):
    """Holds the classifier at the two points where the query set judges it."""

    retrained: Classifier
    finetuned: Classifier


class QueryResults(NamedTuple):
    """Holds what the query set says, scalars summed over queries and divided by the shot."""

    retrain_query_loss: tf.Tensor  # trains the soft weighting network
    finetune_query_loss: tf.Tensor  # trains scale, shift and initial classifier
    accuracy: tf.Tensor  # after fine-tuning, 0..1


def pseudo_label(
    initial: Classifier,
    support: Examples,
    unlabeled_embeddings: tf.Tensor,
    config: AdaptationConfig,
) -> tf.Tensor:
    """Returns the labels `[U]` int32 that a learner of the support set alone gives."""
    loss_fn = support_loss(support, shot_of(support.labels, initial))
    labeler = descend(initial, loss_fn, lr=config.inner_lr, steps=config.pseudo_label_steps)
    return tf.argmax(classify(labeler, unlabeled_embeddings), axis=-1, output_type=tf.int32)


def adapt(
    initial: Classifier,
    support: Examples,
    pseudo_labeled: Examples,
    soft_weights: tf.Tensor,
    config: AdaptationConfig,
) -> AdaptedClassifiers:
    """Re-trains on support and pseudo-labeled examples, then fine-tunes on support alone.

    Differentiable with respect to `initial` and `soft_weights`, through every step.
    """
    shot = shot_of(support.labels, initial)
    finetune_steps = config.inner_steps - config.retrain_steps
    retrain_loss_fn = retrain_loss(support, pseudo_labeled, soft_weights, shot)
    retrained = descend(initial, retrain_loss_fn, lr=config.inner_lr, steps=config.retrain_steps)
    support_loss_fn = support_loss(support, shot)
    finetuned = descend(retrained, support_loss_fn, lr=config.inner_lr, steps=finetune_steps)
    return AdaptedClassifiers(retrained, finetuned)


def judge(adapted: AdaptedClassifiers, query: Examples, shot: int) -> QueryResults:
    """Returns losses and accuracy of the adapted classifiers on the query set."""
    finetuned_logits = classify(adapted.finetuned, query.embeddings)
    retrained_logits = classify(adapted.retrained, query.embeddings)
    return QueryResults(
        retrain_query_loss=summed_cross_entropy(retrained_logits, query.labels, shot),
        finetune_query_loss=summed_cross_entropy(finetuned_logits, query.labels, shot),
        accuracy=accuracy(finetuned_logits, query.labels),
    )
