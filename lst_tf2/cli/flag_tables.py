"""The flags of the commands that train, test and convert, beside those of their settings.

Names and defaults are the original program's. What they make is in `lst_tf2.cli.run_configs`.
"""

import dataclasses
import os
from collections.abc import Iterable

from lst_tf2.cli.flag_rows import rows_of
from lst_tf2.config import (
    DATA,
    EPISODE,
    METHOD,
    PRETRAINING,
    PROTOCOLS,
    RUNNING,
    MetaTestConfig,
    MetaTrainConfig,
    ModelConfig,
    PretrainConfig,
)
from lst_tf2.errors import check
from lst_tf2.settings import FlagRow, Settings, part, setting

RETIRED = "Of old command lines, without effect"


def check_plain_name(field: str, name: str) -> None:
    """Raises `InputError` unless the setting `field` can be the name of a folder."""
    is_plain = name not in ("", ".", "..") and os.path.basename(name) == name
    expected = f"{field} to be the name of a folder"
    check(is_plain, expected, repr(name), "pass one without slashes", field)


@dataclasses.dataclass(frozen=True)
class DataFlags(Settings, group=DATA):
    """Holds where the images lie.

    Attributes:
        dataset: Data set: a folder below <data_path>/data, e.g. glyphs.
        data_path: Folder that holds data/.
    """

    dataset: str = setting("miniImagenet", flag="dataset")
    data_path: str = setting("./", flag="data_path")

    @property
    def data_folder(self) -> str:
        """Folder of the data set."""
        check_plain_name("dataset", self.dataset)
        return os.path.normpath(os.path.join(self.data_path, "data", self.dataset))


@dataclasses.dataclass(frozen=True)
class RunFlags(DataFlags):
    """Adds where weights lie and what to run on.

    Attributes:
        pretrain_folder: Folder of pre-trained weights, <dataset>/ inside; those of the original are
            found there and in pretrain_weights_dir/.
        device: Number of the GPU to use; if not given, TensorFlow sees all.
    """

    pretrain_folder: str = setting("pretrain_weights/", flag="pretrain_w_path")
    device: int = setting(0, flag="device_id", group=RUNNING)


@dataclasses.dataclass(frozen=True)
class TrainingFlags(RunFlags):
    """Adds what to do with an earlier run.

    Attributes:
        overwrite: Start the run again where its folder holds one with other settings.
    """

    overwrite: bool = setting(False, flag="overwrite", group=RUNNING)


@dataclasses.dataclass(frozen=True)
class PretrainFlags(TrainingFlags):
    """Adds what pre-training alone reads.

    Attributes:
        has_floor: Stop halving the pre-training rate at min_pre_lr.
    """

    has_floor: bool = setting(False, flag="pre_lr_stop", group=PRETRAINING)


@dataclasses.dataclass(frozen=True)
class RunNameFlags(Settings, group=RUNNING):
    """Holds which run it is.

    Attributes:
        exp_name: Name of the run; it lives in checkpoints/<exp_name>.
        logdir_base: Folder that holds checkpoints/.
    """

    exp_name: str = setting("finetune_mini_RN", flag="exp_name")
    logdir_base: str = setting("./", flag="logdir_base")

    @property
    def run_folder(self) -> str:
        """Folder of the run."""
        check_plain_name("exp_name", self.exp_name)
        return os.path.normpath(os.path.join(self.logdir_base, "checkpoints", self.exp_name))


@dataclasses.dataclass(frozen=True)
class EpisodeRunFlags(RunNameFlags, RunFlags):
    """Adds what a run on episodes starts from.

    Attributes:
        pretrain_iterations: Iterations of pre-training; names the file to start from.
        is_finetuned: Start (a test: with test_iter=0) from a meta-trained learner, Meta-Transfer
            Learning's or LST's, not from the pre-trained backbone.
        finetune_path: With meta_finetune: its checkpoint <folder>/step_<n>.npz or the original's
            weights_<n>.npy, or a folder with step 15000 of either; by default
            <pretrain_w_path>/<dataset>/<shot_num>-shot_MTL_weights.
        learn_inner_lr: Learn a rate for each parameter of the classifier, from base_lr on, for the
            gradient descent inside an episode (Meta-SGD); a test finds out by itself.
        protocol: `paper`: queries and distractors as published (K queries per class in validation
            and test). `standard`: 15 queries, distractors mixed into the unlabeled images.
    """

    pretrain_iterations: int = setting(14000, flag="pretrain_iterations")
    is_finetuned: bool = setting(False, flag="meta_finetune")
    finetune_path: str = setting("", flag="finetune_w_path")
    learn_inner_lr: bool = setting(False, flag="learn_inner_lr", group=METHOD)
    protocol: str = setting("paper", flag="protocol", group=EPISODE, choices=PROTOCOLS)

    @property
    def pretrained_path(self) -> str:
        """File of the pre-trained backbone."""
        name = f"step_{self.pretrain_iterations}.npz"
        return os.path.join(self.pretrain_folder, self.dataset, name)


@dataclasses.dataclass(frozen=True)
class TrainFlags(EpisodeRunFlags, TrainingFlags):
    """Adds what meta-training alone reads.

    Attributes:
        num_distractor_classes: Distractor classes of training episodes: their images are mixed
            among the unlabeled ones, in either protocol. Validation has none.
        debug_episode: Train nothing: compute an episode once more whose losses or gradients were
            not finite, <run folder>/failed_step_<n>.npz, and tell where its first such value
            arises.
    """

    num_distractor_classes: int = setting(0, flag="train_num_dis", group=EPISODE, at_least=0)
    debug_episode: str = setting("", flag="debug_episode", group=RUNNING)


@dataclasses.dataclass(frozen=True)
class TestFlags(EpisodeRunFlags):
    """Adds what meta-test alone reads.

    Attributes:
        original_folder: Folder below <logdir_base> with runs of the original program, tested where
            checkpoints/<exp_name> is not there.
        num_unlabeled_files: Files of 10 unlabeled images per class, as in the original; if given it
            must be nb_ul_samples / 10.
        has_distractors: Add unlabeled images of num_dis classes outside the episode.
        num_distractor_classes: Distractor classes, with use_distractors.
        bn_stats: What batch norm goes by: `batch`, the batch at hand as in the paper; `calibrated`,
            statistics of base-class images, so that each image is embedded once, many times faster;
            `auto`: `batch` with protocol=paper, else `calibrated`.
        use_tuned: Take the settings that `lst tune` chose for the run where no flag gives them;
            --notuned: do not.
    """

    original_folder: str = setting("weights_saving_dir", flag="exp_log_label", group=RUNNING)
    num_unlabeled_files: int = setting(0, flag="unfiles_num", group=EPISODE)
    has_distractors: bool = setting(False, flag="use_distractors", group=EPISODE)
    num_distractor_classes: int = setting(3, flag="num_dis", group=EPISODE, at_least=0)
    bn_stats: str = setting(
        "auto", flag="bn_stats", group=METHOD, choices=("auto", "batch", "calibrated")
    )
    use_tuned: bool = setting(True, flag="tuned", group=METHOD)


@dataclasses.dataclass(frozen=True)
class PhaseFlags(Settings, group=DATA):
    """Holds what tells the two trainings of `train.py` apart.

    Attributes:
        phase: `pre`: pre-training of the backbone; `meta`: meta-training.
    """

    phase: str = setting("meta", flag="phase", choices=("pre", "meta"))


@dataclasses.dataclass(frozen=True)
class ConvertFlags(Settings, group="What to convert"):
    """Holds what to convert, and of the model what the files do not tell.

    Attributes:
        source: File or folder of the original: weights_<n>.npy, and for a learner beside it
            ss_weights_<n>.npy, fc_weights_<n>.npy and swn_weights_<n>.npy; or what a TensorFlow 1
            Saver wrote, <name>-<n>.index and .data-*.
        target: Folder to write into: pretrain_weights/<dataset> for a backbone,
            checkpoints/<exp_name> for a learner.
        to_tf1: The other way: step_<n>.npz of ours into the original's files.
        dry_run: Check and print the table, write nothing.
        verify: Read back what was written and compare bit for bit.
    """

    source: str = setting("", flag="input")
    target: str = setting("", flag="output")
    to_tf1: bool = setting(False, flag="to_tf1")
    dry_run: bool = setting(False, flag="dry_run")
    verify: bool = setting(False, flag="verify")
    model: ModelConfig = part(
        ModelConfig(filters=(1,)), group="Of the model", filters="", precision="", recompute=""
    )

    def check(self) -> None:
        """Raises `InputError` unless a source and a target are named."""
        for name in ("source", "target"):
            named = bool(getattr(self, name))
            check(named, f"a {name} to convert", "none", "name a file or folder", name)


# Flags of the original whose job is gone, with what to use instead.
RETIRED_FLAGS = {
    "gpu_rate": (0.9, "memory is taken as needed"),
    "full_gpu_memory_mode": (False, "memory is taken as needed"),
    "metatrain": (True, "train.py trains, test.py tests"),
    "base_augmentation": (False, "the original never read it"),
    "test_base_augmentation": (False, "the original never read it"),
    "pretrain_folders": ("", "pre-training reads data/<dataset>"),
    "pretrain_val_folders": ("", "pre-training reads data/<dataset>"),
    "exp_string": ("", "the original derives it from others, and so do we"),
    "logdir": ("", "pass --logdir_base, --exp_log_label and --exp_name"),
    "pretrain_dir": ("", "pass --pretrain_w_path"),
    "pretrain_weights_path": ("", "pass --pretrain_w_path"),
    "finetune_weights_path": ("", "pass --finetune_w_path"),
    "test_output_dir": ("", "results lie in the run's folder"),
}

PRETRAIN_SETTINGS = (PretrainFlags, PretrainConfig)
TRAIN_SETTINGS = (TrainFlags, MetaTrainConfig)
TEST_SETTINGS = (TestFlags, MetaTestConfig)
# Of both trainings in one script.
SCRIPT_SETTINGS = (PhaseFlags, *TRAIN_SETTINGS, *PRETRAIN_SETTINGS)


def accepted_rows(own: Iterable[type]) -> tuple[FlagRow, ...]:
    """Returns the flags without effect on a command with the settings `own`.

    Those of the other commands, as the original's command lines repeat them, are not shown.
    """
    names = {row.flag for row in rows_of(*own)}
    others = rows_of(*SCRIPT_SETTINGS, *TEST_SETTINGS)
    retired = (
        FlagRow(name, default, f"No effect: {why}.", RETIRED, type(default))
        for name, (default, why) in RETIRED_FLAGS.items()
    )
    hidden = (dataclasses.replace(row, group="") for row in others if row.flag not in names)
    return (*retired, *hidden)
