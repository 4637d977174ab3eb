"""Settings of a run: each written once, with its flag, its bounds and its meaning.

Defaults are those of the paper's miniImageNet 1-shot runs (arXiv:1906.00562).
"""

from lst_tf2.config.compare import COMPARED, SUPPORT, CompareConfig
from lst_tf2.config.episodes import PROTOCOLS, SPLITS, EpisodeConfig, ListConfig
from lst_tf2.config.headings import DATA, EPISODE, METHOD, OPTIMIZATION, PRETRAINING, RUNNING
from lst_tf2.config.loops import DISTRIBUTIONS, DistributionConfig, LoopConfig, OptimizerConfig
from lst_tf2.config.method import (
    ACTIVATIONS,
    METHODS,
    NORMS,
    PRECISIONS,
    SELECTIONS,
    WEIGHTINGS,
    AdaptationConfig,
    InnerLoopConfig,
    ModelConfig,
    SelfTrainingConfig,
)
from lst_tf2.config.piles import PilesConfig
from lst_tf2.config.predict import PredictConfig
from lst_tf2.config.recipe import RecipeConfig
from lst_tf2.config.runs import (
    BN_STATS,
    CACHES,
    INITIAL_CLASSIFIERS,
    MODERN,
    EpisodeRunConfig,
    ImageRunConfig,
    MetaTestConfig,
    MetaTrainConfig,
    PretrainConfig,
)
from lst_tf2.config.tune import TuneConfig
