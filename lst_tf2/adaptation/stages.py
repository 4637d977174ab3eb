"""Recurrent self-training by any method (arXiv:1906.00562, algorithm 2)."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import Path, descent_path, unrolled_path, with_rates
from lst_tf2.adaptation.method import Evidence, Method, PseudoLabeled, Selection, candidates
from lst_tf2.adaptation.parts import support_loss
from lst_tf2.config import InnerLoopConfig, SelfTrainingConfig
from lst_tf2.errors import InputError, check
from lst_tf2.structures import Classifier, Examples, Features


class Stage(NamedTuple):
    """Holds one round of self-training: its examples and its classifiers step by step."""

    chosen: PseudoLabeled
    path: Path


class SelfTraining(NamedTuple):
    """Holds all rounds, and the classifiers of the last round continued to the end."""

    stages: list[Stage]
    final_path: Path
    probs: list[tf.Tensor]  # [U, N] of each stage's window, as the stage labeled it


def plan_windows(total: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Returns the `(start, stop)` rows of each window of unlabeled images, as many as fit.

    A stride below the size makes neighbours overlap; one above it skips images.
    """
    count = (total + stride - size) // stride
    return [(i * stride, i * stride + size) for i in range(count)]


def first_evidence(
    support: Examples,
    unlabeled: Features,
    initial: Classifier,
    config: InnerLoopConfig,
    rates: Classifier | None = None,
) -> Evidence:
    """Returns the evidence of the first stage, whose labeler knows the support set alone.

    Args:
        support: Features of the support set with their labels.
        unlabeled: Features of the window of unlabeled images, distractors included.
        initial: The meta-learned classifier.
        config: Rate and steps of the labeler.
        rates: Learned ones in place of that rate, here and in all that descends later.
    """
    features, labels = support
    way = initial.bias.shape[-1]
    no_weights = tf.zeros([0, way], initial.bias.dtype)
    nothing = PseudoLabeled(
        rows=tf.zeros([0], tf.int32),
        features=Features(*(values[:0] for values in features)),
        targets=no_weights,
        logit_weights=no_weights,
        loss_weights=None,
    )
    descend = with_rates(descent_path, rates)
    evidence = Evidence(features, labels, unlabeled, initial, initial, nothing, descend)
    lr, steps = config.inner_lr, config.pseudo_label_steps
    path = with_rates(unrolled_path, rates)(initial, support_loss(evidence), lr=lr, steps=steps)
    return evidence._replace(labeler=path.last(initial))


def next_evidence(evidence: Evidence, stage: Stage, unlabeled: Features) -> Evidence:
    """Returns the evidence of the stage after `stage`, which looks at another window."""
    labeler = stage.path.last(evidence.initial)
    return evidence._replace(unlabeled=unlabeled, labeler=labeler, accepted=stage.chosen)


def label(method: Method, evidence: Evidence) -> tf.Tensor:
    """Returns class probabilities `[U, N]` of the unlabeled examples.

    Raises:
        InputError: If the method gives something else.
    """
    probs = method.label(evidence)
    shape = [evidence.unlabeled.embeddings.shape[0], evidence.way]
    _check_part(method, "label", f"probabilities of shape {shape}", _is_tensor(probs, shape), probs)
    return probs


def select(method: Method, evidence: Evidence, probs: tf.Tensor) -> PseudoLabeled:
    """Selects among the unlabeled examples of these probabilities; nothing is weighed yet.

    Raises:
        InputError: If the method gives something else than a selection.
    """
    selection = method.select(evidence, probs)
    is_selection = isinstance(selection, Selection) and _fits_rows(selection, evidence.way)
    expected = f"a Selection of rows [R], targets [R, {evidence.way}] and loss weights [R]"
    _check_part(method, "select", expected, is_selection, selection)
    features = candidates(evidence)
    rows = _check_rows(method, selection.rows, features.embeddings.shape[0])
    return PseudoLabeled(
        rows=rows,
        features=Features(*(tf.gather(values, rows) for values in features)),
        targets=selection.targets,
        logit_weights=tf.ones_like(selection.targets),
        loss_weights=selection.loss_weights,
    )


def choose(method: Method, evidence: Evidence) -> PseudoLabeled:
    """Labels the unlabeled examples and selects among them.

    Args:
        method: What labels and selects.
        evidence: What the stage knows: support set, window of unlabeled examples, classifiers.

    Returns:
        The selected examples with their targets `[R, N]`, all weights 1.
    """
    return select(method, evidence, label(method, evidence))


def fit(method: Method, evidence: Evidence, chosen: PseudoLabeled) -> Stage:
    """Weighs what was chosen and fits a classifier; what meta-training differentiates.

    Args:
        method: What weighs and fits.
        evidence: What the stage knows.
        chosen: What `choose` selected, unweighed.

    Returns:
        What was chosen, with weights, and the path to the classifier.

    Raises:
        InputError: If the method gives something else.
    """
    weighed = method.weigh(evidence, chosen)
    is_weighed = (
        isinstance(weighed, PseudoLabeled)
        and _fits_rows(weighed, evidence.way)
        and _is_tensor(weighed.logit_weights, weighed.targets.shape)
    )
    expected = f"PseudoLabeled with logit weights [R, {evidence.way}] and loss weights [R]"
    _check_part(method, "weigh", expected, is_weighed, weighed)
    path = method.fit(evidence, weighed)
    shape = [evidence.support.embeddings.shape[-1], evidence.way]
    is_path = isinstance(path, Path) and all(s.kernel.shape[-2:] == shape for s in path.stretches)
    expected = f"a Path of kernels of shape {shape}"
    _check_part(method, "fit", expected, is_path and len(path) > 0, path)
    return Stage(weighed, path)


def last_choice(
    method: Method, evidence: Evidence, num_stages: int
) -> tuple[Evidence, PseudoLabeled]:
    """Returns what the last of some stages on the same unlabeled examples sees and chooses.

    In meta-training, whose losses are those of the last stage alone: nothing differentiates the
    stages before it.

    Args:
        method: What a stage does.
        evidence: What the first stage knows.
        num_stages: 1 or more.
    """
    for _ in range(num_stages - 1):
        stage = fit(method, evidence, choose(method, evidence))
        evidence = next_evidence(evidence, stage, evidence.unlabeled)
    return evidence, choose(method, evidence)


def self_train(
    method: Method,
    support: Examples,
    windows: list[Features],
    initial: Classifier,
    config: SelfTrainingConfig,
    rates: Classifier | None = None,
) -> SelfTraining:
    """Runs all stages of recurrent self-training.

    The first stage labels with a classifier of the support set alone, each later one with
    the last classifier of the stage before; every stage takes the next window, the first
    one after the last.

    Args:
        method: What a stage does.
        support: Features of the support set with their labels.
        windows: Features of the windows of unlabeled images, distractors included.
        initial: The meta-learned classifier.
        config: Numbers of stages and steps.
        rates: Learned ones of the gradient descent, in place of that of `config`.

    Returns:
        The stages, and the path of the last stage as the method finishes it.

    Raises:
        InputError: If the method gives something that is not asked for.
    """
    evidence = first_evidence(support, windows[0], initial, config, rates)
    stages: list[Stage] = []
    probs: list[tf.Tensor] = []
    for index in range(config.num_stages):
        if stages:
            evidence = next_evidence(evidence, stages[-1], windows[index % len(windows)])
        probs.append(label(method, evidence))
        stages.append(fit(method, evidence, select(method, evidence, probs[-1])))
    return SelfTraining(stages, method.finish(evidence, stages[-1].path), probs)


def pseudo_label_accuracy(chosen: PseudoLabeled, labels: tf.Tensor) -> tf.Tensor:
    """Returns the share of right labels among the selected unlabeled rows.

    Args:
        chosen: What a stage trains on; rows count as much as they weigh in the loss, those of
            the support set not at all.
        labels: `[U]` int32, the true labels of the unlabeled examples, -1 for distractors.

    Returns:
        A scalar in 0..1; NaN where nothing counts.
    """
    counts = tf.cast(chosen.rows < labels.shape[0], tf.float32)
    if chosen.loss_weights is not None:
        counts *= chosen.loss_weights
    truth = tf.gather(labels, tf.minimum(chosen.rows, labels.shape[0] - 1))
    hits = tf.cast(truth == tf.argmax(chosen.targets, axis=-1, output_type=tf.int32), tf.float32)
    return tf.reduce_sum(counts * hits) / tf.reduce_sum(counts)


def _fits_rows(chosen: Selection | PseudoLabeled, way: int) -> bool:
    """Returns whether there are targets, and loss weights or none, for each row."""
    rows, weights = chosen.rows, chosen.loss_weights
    if not (_is_tensor(rows, [None]) and _is_tensor(chosen.targets, [rows.shape[0], way])):
        return False
    return weights is None or _is_tensor(weights, rows.shape)


def _is_tensor(value: Any, shape: list[int | None]) -> bool:
    return isinstance(value, tf.Tensor) and value.shape.is_compatible_with(shape)


def _check_part(method: Method, part: str, expected: str, is_right: bool, received: Any) -> None:
    if not is_right:
        shape = getattr(received, "shape", "")
        received = f"{type(received).__name__} {shape}".strip()
        expected = f"`{part}` of the method {method.name} to return {expected}"
        check(False, expected, received, "fix the method", "method")


def _check_rows(method: Method, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Returns `rows`; where one is outside of 0..count-1, running the graph fails."""
    is_inside = tf.reduce_all((rows >= 0) & (rows < count))
    expected = f"Expected `select` of the method {method.name} to return rows of 0 to {count - 1}"
    with tf.control_dependencies([tf.debugging.Assert(is_inside, [f"{expected};"])]):
        return tf.identity(rows)


@contextlib.contextmanager
def tell_of_rows() -> Iterator[None]:
    """Turns what TensorFlow raises for rows outside of the candidates into `InputError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        told = re.search("Expected `select` of the method .*?(?=;)", error.message)
        if not told:
            raise
        message = f"{told[0]}, received others; fix the method."
        raise InputError(message).about("method") from None
