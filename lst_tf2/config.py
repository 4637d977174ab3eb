"""Settings of a run: each written once, with its flag, its bounds and its meaning.

Defaults are those of the paper's miniImageNet 1-shot runs (arXiv:1906.00562).
"""

import dataclasses

from lst_tf2.errors import check, check_seed
from lst_tf2.settings import Settings, part, setting

PROTOCOLS = ("paper", "standard")
ACTIVATIONS = ("leaky_relu", "relu", "None")
NORMS = ("batch_norm", "layer_norm", "None")
PRECISIONS = ("float32", "bfloat16", "float16")
BN_STATS = ("batch", "calibrated")
SPLITS = ("train", "val", "test")
CACHES = ("none", "ram", "packed")
# What the ablation of the paper takes away: `none`, and a classifier that is not meta-learned.
SELECTIONS = ("hard", "none")
WEIGHTINGS = ("soft", "none")
INITIAL_CLASSIFIERS = ("meta", "plain")
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")

# Headings of the flags, in the order of the help.
DATA = "What to train on"
EPISODE = "The episode"
METHOD = "The method"
OPTIMIZATION = "Optimization"
PRETRAINING = "Pre-training"
RUNNING = "Running"


@dataclasses.dataclass(frozen=True)
class ModelConfig(Settings, group=METHOD):
    """Describes the backbone.

    `precision` is that of its convolutions and of what passes between them; weights,
    statistics and everything after the backbone are float32.
    """

    filters: tuple[int, ...] = setting(
        (64, 128, 256, 512), "Channels of the backbone's blocks.", flag="filters"
    )
    image_size: int = setting(84, "Side of the images in pixels.", flag="img_size", group=DATA)
    activation: str = setting(
        "leaky_relu",
        "Activation: leaky_relu, relu or None.",
        flag="activation",
        choices=ACTIVATIONS,
    )
    norm: str = setting(
        "batch_norm",
        "Normalization: batch_norm (of the batch at hand), layer_norm or None.",
        flag="norm",
        choices=NORMS,
    )
    precision: str = setting(
        "float32",
        "Precision of the backbone's convolutions: float32, bfloat16 (faster on processors with "
        "AVX512_BF16 or AMX and on GPUs) or float16 (GPUs).",
        flag="precision",
        group=RUNNING,
        choices=PRECISIONS,
    )
    recompute: bool = setting(
        False,
        "Compute blocks anew in the backward pass: less memory, more time.",
        flag="recompute",
        group=RUNNING,
    )

    def check(self) -> None:
        """Raises `InputError` unless a map is left after the last block."""
        check(
            len(self.filters) > 0 and all(width > 0 for width in self.filters),
            "positive filter counts, one for each block",
            self.filters,
            "name them as 64,128,256,512",
            "filters",
        )
        check(
            self.map_side > 0,
            f"an image size of at least {2 ** len(self.filters)} pixels, as each block halves it",
            self.image_size,
            "raise it or name fewer filters",
            *("image_size", "filters"),
        )

    @property
    def embedding_width(self) -> int:
        """D, the width of an embedding."""
        return self.filters[-1]

    @property
    def map_side(self) -> int:
        """Side of the last feature map in cells."""
        return self.image_size // 2 ** len(self.filters)


@dataclasses.dataclass(frozen=True)
class EpisodeConfig(Settings, group=EPISODE):
    """Describes what one episode holds: counts of classes and of images per class."""

    way: int = setting(5, "N, classes in an episode.", flag="way_num", at_least=2)
    shot: int = setting(1, "K, labeled images per class.", flag="shot_num", at_least=1)
    queries_per_class: int = setting(15, at_least=1)
    unlabeled_per_class: int = setting(
        10, "Unlabeled images per class.", flag="nb_ul_samples", at_least=1
    )
    num_distractor_classes: int = setting(0, at_least=0)

    @property
    def labeled_per_class(self) -> int:
        """Images of a class drawn from the labeled pool: the shot, then the queries."""
        return self.shot + self.queries_per_class


@dataclasses.dataclass(frozen=True)
class ListConfig(Settings, group=EPISODE):
    """Names the episode lists of one split: where, what, how many, from which seed."""

    data_folder: str
    split: str = setting("train", choices=SPLITS)
    episode: EpisodeConfig = part(EpisodeConfig())
    num_episodes: int = setting(80000, "Length of the list of episodes.", at_least=1)
    seed: int = setting(
        0, "Seed of episodes, initial weights and dropout.", flag="seed", group=RUNNING
    )

    def check(self) -> None:
        """Raises `InputError` for a seed that not all libraries take."""
        check_seed(self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InnerLoopConfig(Settings, group=METHOD):
    """Describes what the inner loops of meta-training and of meta-test share."""

    inner_lr: float = setting(
        0.01, "Step size of the gradient descent inside an episode.", flag="base_lr", above=0
    )
    # Fixed in the original program, not among its flags.
    pseudo_label_steps: int = setting(10, at_least=0)
    weighting: str = setting(
        "soft",
        "Weights of pseudo-labeled images: `soft` of the soft weighting network, or `none`.",
        flag="weighting",
        choices=WEIGHTINGS,
    )


@dataclasses.dataclass(frozen=True)
class AdaptationConfig(InnerLoopConfig, group=METHOD):
    """Describes the inner loop of meta-training, counts in gradient steps."""

    retrain_steps: int = setting(
        5,
        "Steps on support and pseudo-labeled images; 0: none.",
        flag="re_train_epoch_num",
        at_least=0,
    )
    inner_steps: int = setting(
        20, "Steps in all, the rest on the support set alone.", flag="train_base_epoch_num"
    )

    def check(self) -> None:
        """Raises `InputError` where there are fewer steps in all than of re-training."""
        check_enough_steps("inner_steps", self.inner_steps, self.retrain_steps)


@dataclasses.dataclass(frozen=True)
class SelfTrainingConfig(InnerLoopConfig, group=METHOD):
    """Describes recurrent self-training at meta-test, counts in gradient steps."""

    num_stages: int = setting(
        4, "Stages of self-training.", flag="recurrent_stage_nums", at_least=1
    )
    retrain_steps: int = setting(
        10,
        "Steps on support and kept images in a stage; 0: none.",
        flag="re_train_epoch_num",
        at_least=0,
    )
    steps_per_stage: int = setting(
        40,
        "Steps of a stage in all, the rest on the support set alone.",
        flag="local_update_num",
    )
    inner_steps: int = setting(
        100, "Steps of the last stage with those after it.", flag="test_base_epoch_num"
    )
    selected_per_class: int = setting(
        20, "Images per class that a stage keeps.", flag="hard_selection", at_least=1
    )
    unlabeled_per_stage: int = setting(
        30,
        "Unlabeled images per class that a stage looks at.",
        flag="nums_in_folders",
        at_least=1,
    )
    selection: str = setting(
        "hard",
        "Images that a stage keeps of these: `hard`, the most confident ones of each class, or "
        "`none`, all.",
        flag="selection",
        choices=SELECTIONS,
    )

    def check(self) -> None:
        """Raises `InputError` where a part has more steps than the whole."""
        check_enough_steps("steps_per_stage", self.steps_per_stage, self.retrain_steps)
        check(
            self.inner_steps >= self.steps_per_stage,
            f"inner_steps of at least steps_per_stage={self.steps_per_stage}",
            self.inner_steps,
            "raise the former or lower the latter",
            *("inner_steps", "steps_per_stage"),
        )


def check_enough_steps(name: str, steps: int, retrain_steps: int) -> None:
    """Raises `InputError` where the setting `name` counts fewer steps than of re-training."""
    check(
        steps >= max(1, retrain_steps),
        f"{name} of at least retrain_steps={retrain_steps}, and 1",
        steps,
        "raise the former or lower the latter",
        *(name, "retrain_steps"),
    )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Settings, group=OPTIMIZATION):
    """Describes an optimizer whose rate is halved every `halve_every_steps`.

    `name` is that of a Keras optimizer, or of a registered one, or one around another:
    `Addons>Lookahead(Adam)`.
    """

    initial_lr: float = setting(1e-3, "Learning rate at the start.", at_least=0)
    min_lr: float = setting(1e-4, "Floor of the learning rate.", at_least=0)
    halve_every_steps: int = setting(1000, "Iterations between halvings.", at_least=1)
    name: str = setting("Adam", "Optimizer: any of Keras, or a registered one.")


@dataclasses.dataclass(frozen=True)
class LoopConfig(Settings, group=RUNNING):
    """Describes a training loop: its length and how often it reports, in steps."""

    num_steps: int = setting(15000, "Iterations.", at_least=1)
    print_every_steps: int = setting(
        100, "Iterations between log lines (where stderr is no terminal).", at_least=1
    )
    summary_every_steps: int = setting(10, "Iterations between TensorBoard scalars.", at_least=1)
    save_every_steps: int = setting(1000, "Iterations between checkpoints.", at_least=1)
    validate_every_steps: int = setting(0, "Iterations between validations; 0: none.", at_least=0)
    profile_steps: tuple[int, ...] = setting(
        (0, 0),
        "First and last iteration to profile for TensorBoard, e.g. 10,12 (look with "
        "tensorboard-plugin-profile); 0,0: none.",
        flag="profile_steps",
    )

    def check(self) -> None:
        """Raises `InputError` unless the steps to profile are a range, or none."""
        steps = self.profile_steps
        check(
            len(steps) == 2 and (steps == (0, 0) or 1 <= steps[0] <= steps[1]),
            "profile_steps as first,last, counted from 1",
            ",".join(map(str, steps)),
            "name them as 10,12",
            "profile_steps",
        )

    @property
    def profiled(self) -> range:
        """Steps to profile, from 0 as the loop counts them."""
        first, last = self.profile_steps
        return range(first - 1, last) if last else range(0)


@dataclasses.dataclass(frozen=True)
class DistributionConfig(Settings, group=RUNNING):
    """Describes over which devices and machines the episodes are divided.

    `workers` are the addresses `host:port` of all processes of a `multi_worker` run, this
    one's at `worker_index`; the first is the chief, which alone writes.
    """

    kind: str = setting(
        "none",
        "Divide the episodes over devices: `none`; `mirrored`, all GPUs of this machine; "
        "`multi_worker`, one process a machine (docs/scaling.md). The numbers stay the same; the "
        "meta-batch must be a multiple of the number of devices.",
        flag="distribution",
        choices=DISTRIBUTIONS,
    )
    workers: tuple[str, ...] = setting(
        (),
        "With multi_worker: host:port of every process, comma-separated, the same list "
        "everywhere; the first writes. If not given, TF_CONFIG is read.",
        flag="workers",
    )
    worker_index: int = setting(
        0, "With workers: the place of this process in that list, from 0.", flag="worker_index"
    )
    wait_seconds: float = setting(
        600.0,
        "With multi_worker: seconds to wait for the other workers at the start and after one was "
        "lost.",
        flag="worker_wait",
        at_least=0,
    )

    def check(self) -> None:
        """Raises `InputError` unless the workers are those of a `multi_worker` run."""
        if self.kind != "multi_worker":
            check(
                not self.workers,
                f"no workers with {self.kind}",
                list(self.workers),
                "ask for multi_worker, or leave the workers out",
                *("kind", "workers"),
            )
            return
        check(
            len(set(self.workers)) == len(self.workers) > 0,
            "workers as host:port,host:port, all different, or TF_CONFIG in the environment",
            list(self.workers),
            "name every process of the run, in the same order everywhere",
            "workers",
        )
        check(
            0 <= self.worker_index < len(self.workers),
            f"worker_index of 0 to {len(self.workers) - 1}, the place of this process among the "
            "workers",
            self.worker_index,
            "give each process its own",
            "worker_index",
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, summaries and results."""
        return self.worker_index == 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageRunConfig(Settings):
    """Describes what every run on images has: a backbone, and where decoded images are kept."""

    model: ModelConfig = part(ModelConfig())
    cache: str = setting(
        "packed",
        "Decoded images: `packed`, kept in a file below the data set, written at the first use; "
        "`ram`, in memory, decoded anew by each command; `none`, decoded at each use.",
        flag="cache",
        group=DATA,
        choices=CACHES,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpisodeRunConfig(ImageRunConfig):
    """Adds what a run on episodes has; `finetune_path` is that of a learner to start from."""

    finetune_path: str = ""
    jit_compile: bool = setting(
        False,
        "Compile the step with XLA; for GPUs, slower on CPUs.",
        flag="jit_compile",
        group=RUNNING,
    )
    distribution: DistributionConfig = part(DistributionConfig())


@dataclasses.dataclass(frozen=True)
class PretrainConfig(ImageRunConfig, group=PRETRAINING):
    """Describes pre-training on the base classes (arXiv:1812.02391)."""

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
        initial_lr=("pre_lr", "Rate of pre-training."),
        min_lr=("min_pre_lr", "Floor of that rate, with pre_lr_stop."),
        halve_every_steps="pre_lr_dropstep",
    )
    num_classes: int = setting(
        64,
        "Number of base classes: miniImagenet 64, tieredImagenet 351.",
        flag="pretrain_class_num",
        group=DATA,
        at_least=2,
    )
    batch_size: int = setting(
        64, "Images per iteration of pre-training.", flag="pretrain_batch_size", at_least=1
    )
    keep_probability: float = setting(
        0.9, "Share of a block's outputs that dropout keeps.", flag="pretrain_dropout_keep", above=0
    )
    seed: int = setting(0, "Seed of initial weights and dropout.", flag="seed", group=RUNNING)

    def check(self) -> None:
        """Raises `InputError` for a seed or a probability that is none."""
        check_seed(self.seed)
        check(
            self.keep_probability <= 1,
            "keep_probability above 0 and at most 1",
            self.keep_probability,
            "lower it",
            "keep_probability",
        )


@dataclasses.dataclass(frozen=True)
class MetaTrainConfig(EpisodeRunConfig, group=OPTIMIZATION):
    """Describes meta-training (arXiv:1906.00562).

    It starts from the pre-trained backbone at `pretrained_path`; where `finetune_path` is
    set, from the backbone, scales, shifts and classifier of the learner at that path.
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
    meta_batch_size: int = setting(
        2, "T, episodes per iteration.", flag="meta_batch_size", at_least=1
    )
    num_val_episodes: int = setting(
        10, "Episodes of one validation.", flag="val_episode_num", group=EPISODE, at_least=1
    )
    seed: int = setting(0, flag="seed", group=RUNNING)

    def check(self) -> None:
        """Raises `InputError` for a step that can not be divided over devices."""
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
    pre-trained backbone, either with what is missing drawn anew. A `plain` initial classifier
    is drawn anew in any case. `bn_stats` says what the backbone normalizes by: the batch at
    hand, or statistics of base-class images.
    """

    run_folder: str
    pretrained_path: str
    test_iter: str = setting(
        "15000",
        "Checkpoint to test: an iteration, `best` (on validation), `last`, or 0 for the "
        "pre-trained weights with a fresh classifier.",
        flag="test_iter",
        group=DATA,
    )
    test_list: ListConfig = part(
        ListConfig("", "test", EpisodeConfig(unlabeled_per_class=100), 600),
        num_episodes=("test_episode_num", "Episodes of the test."),
    )
    self_training: SelfTrainingConfig = part(SelfTrainingConfig())
    protocol: str = setting("paper", choices=PROTOCOLS)
    initial_classifier: str = setting(
        "meta",
        "Where each stage starts: `meta`, the meta-learned classifier, or `plain`, one drawn "
        "from the seed.",
        flag="initial_classifier",
        choices=INITIAL_CLASSIFIERS,
    )
    bn_stats: str = setting("batch", choices=BN_STATS)

    def check(self) -> None:
        """Raises `InputError` for statistics or windows that there can not be."""
        check(
            self.bn_stats == "batch" or self.model.norm == "batch_norm",
            "norm=batch_norm, whose statistics are to be calibrated",
            f"norm={self.model.norm}",
            "choose bn_stats=batch",
            "bn_stats",
        )
        available = self.test_list.episode.unlabeled_per_class
        check(
            self.self_training.unlabeled_per_stage <= available,
            f"unlabeled_per_stage of at most unlabeled_per_class={available}",
            self.self_training.unlabeled_per_stage,
            "lower the former or raise the latter",
            *("unlabeled_per_stage", "unlabeled_per_class"),
        )
