"""Settings of the backbone and of what happens inside an episode."""

import dataclasses

from lst_tf2.config.headings import DATA, METHOD, RUNNING
from lst_tf2.errors import check
from lst_tf2.memory import check_memory
from lst_tf2.settings import SIDES, Settings, setting

ACTIVATIONS = ("leaky_relu", "relu", "None")
NORMS = ("batch_norm", "layer_norm", "None")
PRECISIONS = ("float32", "bfloat16", "float16", "auto")
# Where the factories of our methods are; any other `package.module:factory` can be named too.
METHODS = {
    "lst": "lst_tf2.adaptation.lst:build",
    "graph_lst": "lst_tf2.adaptation.graph_lst:build",
    "support": "lst_tf2.adaptation.support:build",
    "label_propagation": "lst_tf2.adaptation.label_propagation:build",
    "ilpc": "lst_tf2.adaptation.ilpc:build",
    "ici": "lst_tf2.adaptation.ici:build",
    "soft_kmeans": "lst_tf2.adaptation.soft_kmeans:build",
    "spherical_kmeans": "lst_tf2.adaptation.spherical_kmeans:build",
    "masked_soft_kmeans": "lst_tf2.adaptation.masked_soft_kmeans:build",
    "music": "lst_tf2.adaptation.music:build",
    "label_spreading": "lst_tf2.adaptation.scikit_learn:build_label_spreading",
    "self_training_classifier": "lst_tf2.adaptation.scikit_learn:build_self_training",
}
# `none` is what the ablation of the paper takes away.
SELECTIONS = ("hard", "none")
WEIGHTINGS = ("soft", "none")


@dataclasses.dataclass(frozen=True)
class ModelConfig(Settings, group=METHOD):
    """Describes the backbone, and whether rates of the inner loop are learned beside it.

    `precision` is that of its convolutions and of what passes between them; weights,
    statistics and everything after the backbone are float32. With `learn_inner_lr` each
    parameter of the classifier has a learned rate in place of `inner_lr` (arXiv:1707.09835).

    Attributes:
        filters: Channels of the backbone's blocks.
        image_size: Side of the images in pixels.
        activation: Activation: leaky_relu, relu or None.
        norm: Normalization: batch_norm (of the batch at hand), layer_norm or None.
        precision: Precision of the backbone's convolutions: float32, bfloat16 (faster on processors
            with AVX512_BF16 or AMX and on GPUs), float16 (GPUs), or auto: bfloat16 where it is
            faster, else float32.
        recompute: Compute blocks again in the backward pass: less memory, more time.
    """

    filters: tuple[int, ...] = setting((64, 128, 256, 512), flag="filters")
    image_size: int = setting(84, flag="img_size", group=DATA, at_most=SIDES["at_most"])
    activation: str = setting("leaky_relu", flag="activation", choices=ACTIVATIONS)
    norm: str = setting("batch_norm", flag="norm", choices=NORMS)
    precision: str = setting("float32", flag="precision", group=RUNNING, choices=PRECISIONS)
    recompute: bool = setting(False, flag="recompute", group=RUNNING)
    learn_inner_lr: bool = setting(False)

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

    def check_memory(self, num_images: int, what: str, *settings: str) -> None:
        """Checks that there is memory for so many images at once, before any is taken.

        Weights, and the largest map with the one that it is made of, are the least that takes.

        Args:
            num_images: Passed through the backbone together.
            what: What is done with them, for the message.
            *settings: Of the number, besides those of the model.

        Raises:
            InputError: If there is less in this machine.
        """
        widths = zip((3, *self.filters), self.filters, strict=False)
        weights = sum(10 * before * width + 18 * width * width for before, width in widths)
        maps = max(w * (self.image_size >> n) ** 2 for n, w in enumerate(self.filters))
        num_bytes = 4 if self.precision == "float32" else 2
        check_memory(
            4 * weights + 2 * num_bytes * num_images * maps,
            what,
            "choose smaller images, fewer filters, or fewer images at once",
            *("image_size", "filters", *settings),
        )

    @classmethod
    def from_plain(cls, settings: dict) -> "ModelConfig":
        """Returns the model that settings of plain JSON types describe, lists for tuples.

        Raises:
            InputError: If a setting is out of bounds.
            TypeError: If there is one that no model has.
        """
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()})

    @property
    def embedding_width(self) -> int:
        """D, the width of an embedding."""
        return self.filters[-1]

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Shape of an image's feature map, `(H, W, C)`."""
        return (self.map_side, self.map_side, self.embedding_width)

    @property
    def map_side(self) -> int:
        """Side of the last feature map in cells."""
        return self.image_size // 2 ** len(self.filters)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InnerLoopConfig(Settings, group=METHOD):
    """Describes what the inner loops of meta-training and of meta-test share.

    Attributes:
        method: How a stage labels, selects, weighs and fits: lst, graph_lst, support,
            label_propagation, ilpc, ici, soft_kmeans, spherical_kmeans, masked_soft_kmeans, music,
            label_spreading, self_training_classifier, or package.module:factory
            (docs/adding_a_method.md).
        method_settings: Settings of the method as key=value,key=value; those that are flags here
            are not among them.
        inner_lr: Step size of the gradient descent inside an episode.
        weighting: Weights of pseudo-labeled images: `soft` of the soft weighting network, or
            `none`.
    """

    method: str = setting("lst", flag="method")
    method_settings: tuple[str, ...] = setting((), flag="method_settings")
    inner_lr: float = setting(0.01, flag="base_lr", above=0)
    # Fixed in the original program, not among its flags.
    pseudo_label_steps: int = setting(10, at_least=0)
    weighting: str = setting("soft", flag="weighting", choices=WEIGHTINGS)

    def check(self) -> None:
        """Raises `InputError` for a method or settings of it that there cannot be."""
        module, colon, factory = self.method.partition(":")
        check(
            self.method in METHODS or bool(module and colon and factory),
            f"method to be one of {', '.join(METHODS)}, or package.module:factory",
            repr(self.method),
            "choose one",
            "method",
        )
        for word in self.method_settings:
            key, equals, _ = word.partition("=")
            check(
                bool(key and equals),
                "method_settings as key=value,key=value",
                repr(word),
                "give each a value",
                "method_settings",
            )


@dataclasses.dataclass(frozen=True)
class AdaptationConfig(InnerLoopConfig, group=METHOD):
    """Describes the inner loop of meta-training, counts in gradient steps.

    Attributes:
        retrain_steps: Steps on support and pseudo-labeled images; 0: none.
        inner_steps: Steps in all, the rest on the support set alone.
        num_stages: Stages of self-training in meta-training; the last one's query losses count.
        selection: Images that a stage of meta-training keeps: `hard`, the most confident ones of
            each class, or `none`, all.
        selected_per_class: Images per class that it keeps, with train_selection=hard.
    """

    retrain_steps: int = setting(5, flag="re_train_epoch_num", at_least=0)
    inner_steps: int = setting(20, flag="train_base_epoch_num")
    num_stages: int = setting(1, flag="train_stages", at_least=1)
    selection: str = setting("none", flag="train_selection", choices=SELECTIONS)
    selected_per_class: int = setting(5, flag="train_hard_selection", at_least=1)

    @property
    def steps_per_stage(self) -> int:
        """Steps of a stage: each has all of them."""
        return self.inner_steps

    def check(self) -> None:
        """Raises `InputError` where there are fewer steps in all than of re-training."""
        super().check()
        check_enough_steps("inner_steps", self.inner_steps, self.retrain_steps)


@dataclasses.dataclass(frozen=True)
class SelfTrainingConfig(InnerLoopConfig, group=METHOD):
    """Describes recurrent self-training at meta-test, counts in gradient steps.

    Attributes:
        num_stages: Stages of self-training.
        retrain_steps: Steps on support and kept images in a stage; 0: none.
        steps_per_stage: Steps of a stage in all, the rest on the support set alone.
        inner_steps: Steps of the last stage with those after it.
        selected_per_class: Images per class that a stage keeps.
        unlabeled_per_stage: Unlabeled images per class that a stage looks at.
        selection: Images that a stage keeps of these: `hard`, the most confident ones of each
            class, or `none`, all.
    """

    num_stages: int = setting(4, flag="recurrent_stage_nums", at_least=1, search=(1, 2, 4, 6))
    retrain_steps: int = setting(10, flag="re_train_epoch_num", at_least=0, search=(5, 10, 20))
    steps_per_stage: int = setting(40, flag="local_update_num", search=(20, 40))
    inner_steps: int = setting(100, flag="test_base_epoch_num")
    selected_per_class: int = setting(20, flag="hard_selection", at_least=1, search=(5, 10, 20))
    unlabeled_per_stage: int = setting(30, flag="nums_in_folders", at_least=1)
    selection: str = setting("hard", flag="selection", choices=SELECTIONS)

    def check(self) -> None:
        """Raises `InputError` where a part has more steps than the whole."""
        super().check()
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
