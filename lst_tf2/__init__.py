"""Learning to Self-Train for semi-supervised few-shot classification.

An implementation for TensorFlow 2 and Keras of Li et al., NeurIPS 2019, arXiv:1906.00562.

    import lst_tf2

    learner = lst_tf2.load_run("checkpoints/demo")
    episode = lst_tf2.sample_episode("data/glyphs", lst_tf2.EpisodeConfig(unlabeled_per_class=30))
    *_, last = lst_tf2.adapt(learner, episode, method="lst")
    queries = learner.embed(episode.query.inputs).embeddings
    logits = lst_tf2.classify(last.classifier, queries)
    print(float(lst_tf2.accuracy(logits, episode.query.labels)))

TensorFlow is imported when one of these names is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lst_tf2.adaptation.inner_loop import accuracy, classify
    from lst_tf2.adaptation.method import Evidence, Method, PseudoLabeled, Selection
    from lst_tf2.api import (
        AdaptedStage,
        adapt,
        load_run,
        meta_test,
        sample_episode,
        tuned_stages,
    )
    from lst_tf2.config import METHODS, EpisodeConfig, SelfTrainingConfig
    from lst_tf2.errors import InputError
    from lst_tf2.predict.estimator import LSTClassifier
    from lst_tf2.predict.loading import list_backbones
    from lst_tf2.structures import Classifier, Episode, Examples, Features

__version__ = "0.1.0"

_MODULES = {
    "adaptation.inner_loop": ("accuracy", "classify"),
    "adaptation.method": ("Evidence", "Method", "PseudoLabeled", "Selection"),
    "api": ("AdaptedStage", "adapt", "load_run", "meta_test", "sample_episode", "tuned_stages"),
    "config": ("METHODS", "EpisodeConfig", "SelfTrainingConfig"),
    "errors": ("InputError",),
    "predict.estimator": ("LSTClassifier",),
    "predict.loading": ("list_backbones",),
    "structures": ("Classifier", "Episode", "Examples", "Features"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
__all__ = ["__version__", *_MODULE_OF]  # noqa: PLE0604 - all of them are names


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
