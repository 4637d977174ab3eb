"""What a fit found, as arrays: the head, how sure it may be, and what fits no class."""

import dataclasses

import numpy as np

from lst_tf2.adaptation.parts import StageConfig
from lst_tf2.adaptation.registry import read_settings
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.predict.confidence import (
    References,
    build_references,
    fit_temperature,
    softmax,
)
from lst_tf2.predict.training import HeadTrainer, StageRecord, to_sphere
from lst_tf2.structures import Features

# Of a head without a pile: the most likely one on validation classes of `glyphs`, at 1 to 5 shots;
# those that descend by the gradient are as sure as they are right.
PLAIN_TEMPERATURE, DESCENT_TEMPERATURE = 7.0, 1.0


@dataclasses.dataclass(frozen=True)
class FittedHead:
    """Holds a linear head on embeddings of length `RADIUS`.

    Attributes:
        kernel: `[D, N]` float32.
        bias: `[N]` float32.
        temperature: Divides the logits.
        references: Tell what fits no class; None where nothing is rejected.
    """

    kernel: np.ndarray
    bias: np.ndarray
    temperature: float
    references: References | None = None

    def probs(self, embeddings: np.ndarray) -> np.ndarray:
        """Returns `[B, N]`, rows that sum to 1, of embeddings `[B, D]` of any length."""
        logits = to_sphere(embeddings) @ self.kernel + self.bias
        return softmax(logits / self.temperature)

    def none_probs(self, embeddings: np.ndarray) -> np.ndarray:
        """Returns `[B]` in 0..1, how likely embeddings `[B, D]` are of none of the classes."""
        if self.references is None:
            return np.zeros(len(embeddings), np.float32)
        return np.clip(1 - self.references.look_up(to_sphere(embeddings)).sum(axis=1), 0, 1)


@dataclasses.dataclass(frozen=True)
class FitData:
    """Holds what a fit learns from, features as the backbone gives them."""

    support: Features  # S
    labels: np.ndarray  # [S] int in 0..N-1
    pile: Features  # U, of which no two are the same image as one of the support
    stages: SelfTrainingConfig
    backbone: object  # Has `soft_weighting`.
    reject: bool = True

    def without(self, row: int) -> "FitData":
        """Returns the same without the support image in a row."""
        support = Features(*(np.delete(part, row, axis=0) for part in self.support))
        return dataclasses.replace(self, support=support, labels=np.delete(self.labels, row))


def fit_head(
    data: FitData, trainer: HeadTrainer | None = None
) -> tuple[FittedHead, list[StageRecord]]:
    """Self-trains, then finds how sure the head may be.

    Args:
        data: What it learns from.
        trainer: One that has trained on as many images of as many classes saves time.

    Raises:
        InputError: If there is no such method, or it does not do what is asked of it.
    """
    support, pile = (on_sphere(features) for features in (data.support, data.pile))
    trainer = trainer or HeadTrainer(data.stages, data.backbone)
    trained = trainer.train(support, data.labels, pile)
    if not trained.stages:
        descends = isinstance(read_settings(data.stages), StageConfig)
        temperature = DESCENT_TEMPERATURE if descends else PLAIN_TEMPERATURE
        return FittedHead(trained.kernel, trained.bias, temperature), []
    probs = trained.stages[-1].probs
    logits = pile.embeddings @ trained.kernel + trained.bias
    references = None
    if data.reject:
        known = np.eye(probs.shape[1], dtype=np.float32)[data.labels]
        everything = np.concatenate([support.embeddings, pile.embeddings])
        references = build_references(everything, np.concatenate([known, probs]))
    temperature = fit_temperature(logits, probs)
    return FittedHead(trained.kernel, trained.bias, temperature, references), trained.stages


def on_sphere(features: Features) -> Features:
    """Returns the features with embeddings of length `RADIUS`."""
    return Features(np.float32(features.maps), to_sphere(features.embeddings))
