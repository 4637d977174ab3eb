"""Settings of a run as frozen dataclasses that check their own bounds.

Defaults are those of the paper's miniImageNet 1-shot runs (arXiv:1906.00562).
"""

import dataclasses
import math

from lst_tf2.errors import check, check_at_least, check_choice, check_seed, check_step_counts

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


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Describes the backbone; `image_size` in pixels.

    `precision` is that of its convolutions and of what passes between them; weights,
    statistics and everything after the backbone are float32. With `recompute` the backward
    pass computes each block anew in place of keeping its inside.
    """

    filters: tuple[int, ...] = (64, 128, 256, 512)
    image_size: int = 84
    activation: str = "leaky_relu"
    norm: str = "batch_norm"
    precision: str = "float32"
    recompute: bool = False

    def __post_init__(self):
        check_choice("precision", self.precision, PRECISIONS)
        check(
            len(self.filters) > 0 and all(width > 0 for width in self.filters),
            "positive filter counts, one for each block",
            self.filters,
            "pass for example --filters=64,128,256,512",
        )
        check(
            self.map_side > 0,
            f"an image size of at least {2 ** len(self.filters)} pixels, as each block halves it",
            self.image_size,
            "raise --img_size or name fewer --filters",
        )
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("norm", self.norm, NORMS)

    @property
    def embedding_width(self) -> int:
        """D, the width of an embedding."""
        return self.filters[-1]

    @property
    def map_side(self) -> int:
        """Side of the last feature map in cells."""
        return self.image_size // 2 ** len(self.filters)


@dataclasses.dataclass(frozen=True)
class EpisodeConfig:
    """Describes what one episode holds: counts of classes and of images per class."""

    way: int = 5
    shot: int = 1
    queries_per_class: int = 15
    unlabeled_per_class: int = 10
    num_distractor_classes: int = 0

    def __post_init__(self):
        check_at_least(2, "raise --way_num", way_num=self.way)
        check_at_least(1, "raise --shot_num", shot_num=self.shot)
        check_at_least(1, "ask for more queries", queries_per_class=self.queries_per_class)
        check_at_least(1, "raise --nb_ul_samples", nb_ul_samples=self.unlabeled_per_class)
        check_at_least(0, "raise --num_dis", num_dis=self.num_distractor_classes)

    @property
    def labeled_per_class(self) -> int:
        """Images of a class drawn from the labeled pool: the shot, then the queries."""
        return self.shot + self.queries_per_class


@dataclasses.dataclass(frozen=True)
class ListConfig:
    """Names the episode lists of one split: where, what, how many, from which seed."""

    data_folder: str
    split: str
    episode: EpisodeConfig
    num_episodes: int
    seed: int = 0

    def __post_init__(self):
        check_choice("split", self.split, SPLITS)
        check_at_least(1, "ask for more episodes", num_episodes=self.num_episodes)
        check_seed(self.seed)


@dataclasses.dataclass(frozen=True)
class AdaptationConfig:
    """Describes the inner loop of meta-training, counts in gradient steps."""

    shot: int = 1
    inner_lr: float = 0.01
    retrain_steps: int = 5
    inner_steps: int = 20
    # Fixed in the original program, not among its flags.
    pseudo_label_steps: int = 10
    weighting: str = "soft"

    def __post_init__(self):
        check_choice("weighting", self.weighting, WEIGHTINGS)
        check_step_counts(self.inner_lr, self.retrain_steps)
        check(
            self.inner_steps >= max(1, self.retrain_steps),
            f"train_base_epoch_num of at least re_train_epoch_num={self.retrain_steps}, and 1",
            self.inner_steps,
            "raise --train_base_epoch_num",
        )


@dataclasses.dataclass(frozen=True)
class SelfTrainingConfig:
    """Describes recurrent self-training at meta-test, counts in gradient steps."""

    shot: int = 1
    inner_lr: float = 0.01
    num_stages: int = 4
    retrain_steps: int = 10
    steps_per_stage: int = 40
    inner_steps: int = 100
    selected_per_class: int = 20
    unlabeled_per_stage: int = 30
    pseudo_label_steps: int = 10
    selection: str = "hard"
    weighting: str = "soft"

    def __post_init__(self):
        check_choice("selection", self.selection, SELECTIONS)
        check_choice("weighting", self.weighting, WEIGHTINGS)
        check_step_counts(self.inner_lr, self.retrain_steps)
        check_at_least(1, "raise --recurrent_stage_nums", recurrent_stage_nums=self.num_stages)
        check_at_least(1, "raise --hard_selection", hard_selection=self.selected_per_class)
        check_at_least(1, "raise --nums_in_folders", nums_in_folders=self.unlabeled_per_stage)
        check(
            self.steps_per_stage >= max(1, self.retrain_steps),
            f"local_update_num of at least re_train_epoch_num={self.retrain_steps}, and 1",
            self.steps_per_stage,
            "raise --local_update_num",
        )
        check(
            self.inner_steps >= self.steps_per_stage,
            f"test_base_epoch_num of at least local_update_num={self.steps_per_stage}",
            self.inner_steps,
            "raise --test_base_epoch_num",
        )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Describes an optimizer whose rate is halved every `halve_every_steps`.

    `name` is that of a Keras optimizer, or of a registered one, or one around another:
    `Addons>Lookahead(Adam)`.
    """

    initial_lr: float = 1e-3
    min_lr: float = 1e-4
    halve_every_steps: int = 1000
    name: str = "Adam"

    def __post_init__(self):
        for name, rate in (("initial", self.initial_lr), ("minimum", self.min_lr)):
            check(
                math.isfinite(rate) and rate >= 0,
                f"a finite {name} learning rate of at least 0",
                rate,
                "mend --meta_lr, --swn_lr, --pre_lr or their minimum",
            )
        check_at_least(1, "raise the drop step", lr_drop_step=self.halve_every_steps)


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """Describes a training loop: its length and how often it reports, in steps."""

    num_steps: int
    print_every_steps: int
    summary_every_steps: int
    save_every_steps: int
    validate_every_steps: int = 0  # 0: no validation
    profile_steps: tuple[int, int] = (0, 0)  # first and last iteration to profile; 0: none

    def __post_init__(self):
        check_at_least(1, "raise it", iterations=self.num_steps)
        intervals = (self.print_every_steps, self.summary_every_steps, self.save_every_steps)
        check(min(intervals) >= 1, "print, sum and save steps of at least 1", intervals, "raise it")
        check_at_least(0, "raise it", meta_val_print_step=self.validate_every_steps)
        first, last = self.profile_steps
        check(
            first == last == 0 or 1 <= first <= last,
            "--profile_steps=first,last, counted from 1",
            f"{first},{last}",
            "pass for example --profile_steps=10,12",
        )

    @property
    def profiled(self) -> range:
        """Steps to profile, from 0 as the loop counts them."""
        first, last = self.profile_steps
        return range(first - 1, last) if last else range(0)


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """Describes pre-training on the base classes (arXiv:1812.02391)."""

    data_folder: str
    run_folder: str
    loop: LoopConfig
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig(halve_every_steps=5000)
    num_classes: int = 64
    batch_size: int = 64
    keep_probability: float = 0.9
    seed: int = 0
    cache: str = "packed"

    def __post_init__(self):
        check_choice("cache", self.cache, CACHES)
        check_at_least(2, "raise --pretrain_class_num", pretrain_class_num=self.num_classes)
        check_at_least(1, "raise --pretrain_batch_size", pretrain_batch_size=self.batch_size)
        check_seed(self.seed)
        check(
            0 < self.keep_probability <= 1,
            "pretrain_dropout_keep above 0 and at most 1",
            self.keep_probability,
            "mend --pretrain_dropout_keep",
        )


@dataclasses.dataclass(frozen=True)
class DistributionConfig:
    """Describes over which devices and machines the episodes are divided.

    `workers` are the addresses `host:port` of all processes of a `multi_worker` run, this
    one's at `worker_index`; the first is the chief, which alone writes.
    """

    kind: str = "none"
    workers: tuple[str, ...] = ()
    worker_index: int = 0
    wait_seconds: float = 600.0

    def __post_init__(self):
        check_choice("distribution", self.kind, DISTRIBUTIONS)
        check_at_least(0, "raise --worker_wait", worker_wait=self.wait_seconds)
        if self.kind != "multi_worker":
            remedy = "pass --distribution=multi_worker, or leave --workers out"
            check(not self.workers, f"no --workers with {self.kind}", list(self.workers), remedy)
            return
        check(
            len(set(self.workers)) == len(self.workers) > 0,
            "--workers=host:port,host:port, all different, or TF_CONFIG in the environment",
            list(self.workers),
            "name every process of the run, in the same order everywhere",
        )
        check(
            0 <= self.worker_index < len(self.workers),
            f"--worker_index of 0 to {len(self.workers) - 1}, the place of this process in "
            "--workers",
            self.worker_index,
            "give each process its own",
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, summaries and results."""
        return self.worker_index == 0


@dataclasses.dataclass(frozen=True)
class MetaTrainConfig:
    """Describes meta-training (arXiv:1906.00562).

    It starts from the pre-trained backbone at `pretrained_path`; where `finetune_path` is
    set, from the backbone, scales, shifts and classifier of the learner at that path.
    """

    run_folder: str
    pretrained_path: str
    train_list: ListConfig
    val_list: ListConfig
    loop: LoopConfig
    model: ModelConfig = ModelConfig()
    adaptation: AdaptationConfig = AdaptationConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    swn_optimizer: OptimizerConfig = OptimizerConfig()
    meta_batch_size: int = 2
    num_val_episodes: int = 10
    seed: int = 0
    finetune_path: str = ""
    jit_compile: bool = False
    cache: str = "packed"
    distribution: DistributionConfig = DistributionConfig()

    def __post_init__(self):
        check_choice("cache", self.cache, CACHES)
        check(
            self.distribution.kind == "none"
            or not (self.jit_compile or self.model.precision == "float16"),
            "float32 or bfloat16, not compiled, where episodes are divided over devices",
            f"precision={self.model.precision} and jit_compile={self.jit_compile}",
            "mend --precision and --jit_compile, or leave --distribution out",
        )
        check_at_least(1, "raise --meta_batch_size", meta_batch_size=self.meta_batch_size)
        check_at_least(1, "raise --val_episode_num", val_episode_num=self.num_val_episodes)


@dataclasses.dataclass(frozen=True)
class MetaTestConfig:
    """Describes a meta-test of one checkpoint of a run.

    With `test_iter` "0" of the learner at `finetune_path`, where that is set, else of the
    pre-trained backbone, either with what is missing drawn anew. A `plain` initial classifier
    is drawn anew in any case. `bn_stats` says what the backbone normalizes by: the batch at
    hand, or statistics of base-class images.
    """

    run_folder: str
    pretrained_path: str
    test_iter: str
    test_list: ListConfig
    model: ModelConfig = ModelConfig()
    self_training: SelfTrainingConfig = SelfTrainingConfig()
    protocol: str = "paper"
    finetune_path: str = ""
    initial_classifier: str = "meta"
    bn_stats: str = "batch"
    jit_compile: bool = False
    cache: str = "packed"
    distribution: DistributionConfig = DistributionConfig()

    def __post_init__(self):
        check_choice("cache", self.cache, CACHES)
        check_choice("bn_stats", self.bn_stats, BN_STATS)
        check(
            self.bn_stats == "batch" or self.model.norm == "batch_norm",
            "norm=batch_norm, whose statistics are to be calibrated",
            f"norm={self.model.norm}",
            "pass --bn_stats=batch",
        )
        check_choice("initial_classifier", self.initial_classifier, INITIAL_CLASSIFIERS)
        check_choice("protocol", self.protocol, PROTOCOLS)
        available, wanted = (
            self.test_list.episode.unlabeled_per_class,
            self.self_training.unlabeled_per_stage,
        )
        check(
            wanted <= available,
            f"nums_in_folders of at most nb_ul_samples={available}",
            wanted,
            "lower --nums_in_folders or raise --nb_ul_samples",
        )
