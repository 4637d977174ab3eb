"""Settings of the three phases: pre-training, meta-training and meta-test."""

import dataclasses

from lst_tf2.config.episodes import PROTOCOLS, EpisodeConfig, ListConfig
from lst_tf2.config.headings import DATA, EPISODE, METHOD, OPTIMIZATION, PRETRAINING, RUNNING
from lst_tf2.config.loops import DistributionConfig, LoopConfig, OptimizerConfig
from lst_tf2.config.method import AdaptationConfig, ModelConfig, SelfTrainingConfig
from lst_tf2.config.recipe import RECIPES, RecipeConfig
from lst_tf2.errors import check
from lst_tf2.settings import SEEDS, Settings, part, setting

BN_STATS = ("batch", "calibrated")
CACHES = ("none", "ram", "packed")
INITIAL_CLASSIFIERS = ("meta", "plain")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageRunConfig(Settings):
    """Describes what every run on images has: a backbone, and where decoded images are kept.

    Attributes:
        cache: Decoded images: `packed`, kept in a file below the data set, written at the first
            use; `ram`, in memory, decoded again by each command; `none`, decoded at each use.
    """

    model: ModelConfig = part(ModelConfig())
    cache: str = setting("packed", flag="cache", group=DATA, choices=CACHES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpisodeRunConfig(ImageRunConfig):
    """Adds what a run on episodes has; `finetune_path` is that of a learner to start from.

    Attributes:
        jit_compile: Compile the step with XLA; for GPUs, slower on CPUs.
    """

    finetune_path: str = ""
    jit_compile: bool = setting(False, flag="jit_compile", group=RUNNING)
    distribution: DistributionConfig = part(DistributionConfig())


@dataclasses.dataclass(frozen=True)
class PretrainConfig(ImageRunConfig, group=PRETRAINING):
    """Describes pre-training on the base classes (arXiv:1812.02391).

    Attributes:
        recipe_name: `mtl`: as in the paper, by Adam on images as they are. `modern`: augmented
            images, two tasks, SGD with a falling rate, averaged weights, bfloat16 where it is fast;
            it sets the defaults of the flags whose help names it.
        is_falling: Let the rate fall as half a cosine over all iterations instead of halving it
            (modern: yes).
        start_path: Start from the kernels in this file: a checkpoint <folder>/step_<n>.npz, or the
            weights.npz of a preset.
        num_classes: Number of base classes: miniImagenet 64, tieredImagenet 351.
        batch_size: Images per iteration of pre-training (modern: 128).
        keep_probability: Share of a block's outputs that dropout keeps.
        seed: Seed of initial weights and dropout.
    """

    data_folder: str
    run_folder: str
    loop: LoopConfig = part(
        LoopConfig(14000, 1000, 10, 1000),
        group=PRETRAINING,
        num_steps="pretrain_iterations",
        print_every_steps="pre_print_step",
        summary_every_steps="pre_sum_step",
        save_every_steps="pre_save_step",
    )
    optimizer: OptimizerConfig = part(
        OptimizerConfig(halve_every_steps=5000),
        group=PRETRAINING,
        initial_lr=("pre_lr", "Rate of pre-training (modern: 0.1, at its peak)."),
        min_lr=("min_pre_lr", "Floor of that rate, with pre_lr_stop."),
        halve_every_steps="pre_lr_dropstep",
        name=("pre_optimizer", "Optimizer: any of Keras, or a registered one (modern: SGD)."),
        momentum=("pre_momentum", "Nesterov momentum of SGD (modern: 0.9)."),
        weight_decay=(
            "pre_weight_decay",
            "Share of the kernels that is added to their gradients (modern: 0.0005).",
        ),
        warmup_share=(
            "pre_warmup",
            "Share of the iterations in which the rate rises, with pre_cosine (modern: 0.25).",
        ),
    )
    recipe_name: str = setting("mtl", flag="pre_recipe", choices=RECIPES)
    is_falling: bool = setting(False, flag="pre_cosine")
    recipe: RecipeConfig = part(RecipeConfig())
    start_path: str = setting("", flag="pre_start")
    num_classes: int = setting(64, flag="pretrain_class_num", group=DATA, at_least=2)
    batch_size: int = setting(64, flag="pretrain_batch_size", at_least=1)
    keep_probability: float = setting(0.9, flag="pretrain_dropout_keep", above=0, at_most=1)
    seed: int = setting(0, flag="seed", group=RUNNING, **SEEDS)

    def check(self) -> None:
        """Raises `InputError` for images of which no map is left after the last block."""
        least = 2 ** len(self.model.filters)
        check(
            all(side >= least for side in self.recipe.sizes),
            f"sizes of at least {least} pixels, as each of {len(self.model.filters)} blocks halves "
            "them",
            ",".join(map(str, self.recipe.sizes)),
            "raise them or name fewer filters",
            *("sizes", "filters"),
        )


# What `modern` changes; the rest is as in the paper.
MODERN = PretrainConfig(
    "",
    "",
    model=ModelConfig(precision="auto"),
    recipe_name="modern",
    batch_size=128,
    is_falling=True,
    optimizer=OptimizerConfig(
        0.1, 0.0, 5000, "SGD", momentum=0.9, weight_decay=5e-4, warmup_share=0.25
    ),
    recipe=RecipeConfig(
        is_flipped=True,
        crop_pixels=4,
        jitter=0.2,
        turned_share=0.5,
        mixup=0.2,
        label_smoothing=0.1,
        average_decay=0.998,
    ),
)


@dataclasses.dataclass(frozen=True)
class MetaTrainConfig(EpisodeRunConfig, group=OPTIMIZATION):
    """Describes meta-training (arXiv:1906.00562).

    It starts from the pre-trained backbone at `pretrained_path`; where `finetune_path` is
    set, from the backbone, scales, shifts and classifier of the learner at that path.

    Attributes:
        meta_batch_size: T, episodes per iteration.
        num_val_episodes: Episodes of one validation.
    """

    run_folder: str
    pretrained_path: str
    train_list: ListConfig = part(
        ListConfig(""),
        num_episodes=("train_episode_num", "Length of the list of training episodes."),
    )
    val_list: ListConfig = part(ListConfig("", "val", num_episodes=600))
    loop: LoopConfig = part(
        LoopConfig(validate_every_steps=1000),
        num_steps=("metatrain_iterations", "Iterations of meta-training."),
        print_every_steps="meta_print_step",
        summary_every_steps="meta_sum_step",
        save_every_steps="meta_save_step",
        validate_every_steps="meta_val_print_step",
    )
    adaptation: AdaptationConfig = part(AdaptationConfig())
    optimizer: OptimizerConfig = part(
        OptimizerConfig(),
        initial_lr=("meta_lr", "Rate for scaling, shifting and initial classifier."),
        min_lr=("min_meta_lr", "Floor of both rates."),
        halve_every_steps=(
            "lr_drop_step",
            "Both rates are halved at iterations that are multiples of this and of "
            "meta_val_print_step.",
        ),
        name=(
            "meta_optimizer",
            "Optimizer of these: any of Keras, or a registered one, such as "
            "'Addons>RectifiedAdam' or 'Addons>Lookahead(Adam)' of tensorflow-addons.",
        ),
    )
    swn_optimizer: OptimizerConfig = part(
        OptimizerConfig(),
        initial_lr=("swn_lr", "Rate for the soft weighting network."),
        min_lr="min_meta_lr",
        halve_every_steps="lr_drop_step",
        name=("swn_optimizer", "Optimizer of the soft weighting network."),
    )
    meta_batch_size: int = setting(2, flag="meta_batch_size", at_least=1)
    num_val_episodes: int = setting(10, flag="val_episode_num", group=EPISODE, at_least=1)
    seed: int = setting(0, flag="seed", group=RUNNING, **SEEDS)

    def check(self) -> None:
        """Raises `InputError` for what cannot be where episodes are divided over devices."""
        check(
            self.distribution.kind != "multi_worker" or not self.loop.time_limit,
            "no time_limit with several workers, whose clocks differ",
            self.loop.time_limit,
            "end them by a signal",
            *("kind", "time_limit"),
        )
        check(
            self.distribution.kind == "none"
            or not (self.jit_compile or self.model.precision == "float16"),
            "float32 or bfloat16, not compiled, where episodes are divided over devices",
            f"precision={self.model.precision} and jit_compile={self.jit_compile}",
            "change these or ask for no distribution",
            "jit_compile",
        )


@dataclasses.dataclass(frozen=True)
class MetaTestConfig(EpisodeRunConfig, group=METHOD):
    """Describes a meta-test of one checkpoint of a run.

    With `test_iter` "0" of the learner at `finetune_path`, where that is set, else of the
    pre-trained backbone, either with what is missing drawn at random. A `plain` initial
    classifier is drawn at random in any case. `bn_stats` says what the backbone normalizes by:
    the batch at hand, or statistics of base-class images.

    Attributes:
        test_iter: Checkpoint to test: an iteration, `best` (on validation), `last`, or 0 for the
            pre-trained weights with a fresh classifier.
        initial_classifier: Where each stage starts: `meta`, the meta-learned classifier, or
            `plain`, one drawn from the seed.
    """

    run_folder: str
    pretrained_path: str
    test_iter: str = setting("15000", flag="test_iter", group=DATA)
    test_list: ListConfig = part(
        ListConfig("", "test", EpisodeConfig(unlabeled_per_class=100), 600),
        num_episodes=("test_episode_num", "Episodes of the test."),
    )
    self_training: SelfTrainingConfig = part(SelfTrainingConfig())
    protocol: str = setting("paper", choices=PROTOCOLS)
    initial_classifier: str = setting(
        "meta", flag="initial_classifier", choices=INITIAL_CLASSIFIERS
    )
    bn_stats: str = setting("batch", choices=BN_STATS)

    def check(self) -> None:
        """Raises `InputError` for statistics or windows that there cannot be."""
        check(
            self.bn_stats == "batch" or self.model.norm == "batch_norm",
            "norm=batch_norm, whose statistics are to be calibrated",
            f"norm={self.model.norm}",
            "choose bn_stats=batch",
            "bn_stats",
        )
        balance = self.test_list.episode.unlabeled_balance
        check(
            self.protocol != "paper" or balance == "equal",
            "unlabeled_balance=equal with protocol=paper, which interleaves the classes",
            balance,
            "choose protocol=standard",
            *("unlabeled_balance", "protocol"),
        )
        available = self.test_list.episode.unlabeled_per_class
        check(
            self.self_training.unlabeled_per_stage <= available,
            f"unlabeled_per_stage of at most unlabeled_per_class={available}",
            self.self_training.unlabeled_per_stage,
            "lower the former or raise the latter",
            *("unlabeled_per_stage", "unlabeled_per_class"),
        )
