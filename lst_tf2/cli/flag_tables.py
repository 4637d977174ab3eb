"""The flags of the commands: the original program's, with its names and defaults.

What they mean inside the package is in `lst_tf2.cli.flags`.
"""

from absl import flags

from lst_tf2.cli.command_help import show_on_help

DEFINERS = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
    list: flags.DEFINE_list,
}

COMMON_FLAGS = [
    ("exp_name", "finetune_mini_RN", "Name of the run; it lives in checkpoints/<exp_name>."),
    ("logdir_base", "./", "Folder that holds checkpoints/."),
    ("dataset", "miniImagenet", "Data set: a folder below <data_path>/data, e.g. glyphs."),
    ("data_path", "./", "Folder that holds data/."),
    ("cache", "packed", "Decoded images: `packed`, kept in a file below the data set, written "
     "at the first use; `ram`, in memory, decoded anew by each command; `none`, decoded at each "
     "use."),
    ("way_num", 5, "N, classes in an episode."),
    ("shot_num", 1, "K, labeled images per class."),
    ("img_size", 84, "Side of the images in pixels."),
    ("filters", ["64", "128", "256", "512"], "Channels of the backbone's blocks."),
    ("activation", "leaky_relu", "Activation: leaky_relu, relu or None."),
    ("norm", "batch_norm", "Normalization: batch_norm (of the batch at hand), layer_norm or None."),
    ("precision", "float32", "Precision of the backbone's convolutions: float32, bfloat16 (faster "
     "on processors with AVX512_BF16 or AMX and on GPUs) or float16 (GPUs)."),
    ("recompute", False, "Compute blocks anew in the backward pass: less memory, more time."),
    ("jit_compile", False, "Compile the step with XLA; for GPUs, slower on CPUs."),
    ("base_lr", 0.01, "Step size of the gradient descent inside an episode."),
    ("pretrain_class_num", 64, "Number of base classes: miniImagenet 64, tieredImagenet 351."),
    ("pretrain_w_path", "pretrain_weights/", "Folder of pre-trained weights, <dataset>/ inside; "
     "those of the original are found there and in pretrain_weights_dir/."),
    ("pretrain_iterations", 14000, "Iterations of pre-training; names the file to start from."),
    ("meta_finetune", False, "Start (a test: with test_iter=0) from a meta-trained learner, "
     "Meta-Transfer Learning's or LST's, not from the pre-trained backbone."),
    ("finetune_w_path", "", "With meta_finetune: its checkpoint <folder>/step_<n>.npz or the "
     "original's weights_<n>.npy, or a folder with step 15000 of either; by default "
     "<pretrain_w_path>/<dataset>/<shot_num>-shot_MTL_weights."),
    ("exp_log_label", "weights_saving_dir", "Folder below <logdir_base> with runs of the original "
     "program, tested where checkpoints/<exp_name> is not there."),
    ("device_id", 0, "Number of the GPU to use; if not given, TensorFlow sees all."),
    ("weighting", "soft", "Weights of pseudo-labeled images: `soft` of the soft weighting network, "
     "or `none`."),
    ("protocol", "paper", "`paper`: queries and distractors as published (K queries per class in "
     "validation and test). `standard`: 15 queries, distractors mixed into the unlabeled images."),
    ("seed", 0, "Seed of episodes, initial weights and dropout."),
    ("unfiles_num", 0, "Files of 10 unlabeled images per class, as in the original; if given to "
     "a test it must be nb_ul_samples / 10."),
    ("distribution", "none", "Divide the episodes over devices: `none`; `mirrored`, all GPUs of "
     "this machine; `multi_worker`, one process a machine (docs/scaling.md). The numbers stay "
     "the same; meta_batch_size must be a multiple of the number of devices."),
    ("workers", [], "With multi_worker: host:port of every process, comma-separated, the same "
     "list everywhere; the first writes. If not given, TF_CONFIG is read."),
    ("worker_index", -1, "With workers: the place of this process in that list, from 0."),
    ("worker_wait", 600, "With multi_worker: seconds to wait for the other workers at the start "
     "and after one was lost."),
]  # fmt: skip

TRAIN_FLAGS = [
    ("phase", "meta", "`pre`: pre-training of the backbone; `meta`: meta-training."),
    ("overwrite", False, "Start the run anew where its folder holds one with other settings."),
    ("nb_ul_samples", 10, "Unlabeled images per class."),
    ("re_train_epoch_num", 5, "Steps on support and pseudo-labeled images; 0: none."),
    ("train_base_epoch_num", 20, "Steps in all, the rest on the support set alone."),
    ("metatrain_iterations", 15000, "Iterations of meta-training."),
    ("meta_batch_size", 2, "T, episodes per iteration."),
    ("meta_lr", 0.001, "Rate for scaling, shifting and initial classifier."),
    ("swn_lr", 0.001, "Rate for the soft weighting network."),
    ("meta_optimizer", "Adam", "Optimizer of these: any of Keras, or a registered one, such as "
     "'Addons>RectifiedAdam' or 'Addons>Lookahead(Adam)' of tensorflow-addons."),
    ("swn_optimizer", "Adam", "Optimizer of the soft weighting network."),
    ("min_meta_lr", 0.0001, "Floor of both rates."),
    ("lr_drop_step", 1000, "Both rates are halved at iterations that are multiples of this and "
     "of meta_val_print_step."),
    ("meta_print_step", 100, "Iterations between log lines (where stderr is no terminal)."),
    ("meta_sum_step", 10, "Iterations between TensorBoard scalars."),
    ("meta_save_step", 1000, "Iterations between checkpoints."),
    ("meta_val_print_step", 1000, "Iterations between validations."),
    ("profile_steps", [], "First and last iteration to profile for TensorBoard, e.g. 10,12 (look "
     "with tensorboard-plugin-profile)."),
    ("train_episode_num", 80000, "Length of the list of training episodes."),
    ("val_episode_num", 10, "Episodes of one validation."),
    ("pretrain_batch_size", 64, "Images per iteration of pre-training."),
    ("pretrain_dropout_keep", 0.9, "Share of a block's outputs that dropout keeps."),
    ("pre_lr", 0.001, "Rate of pre-training."),
    ("min_pre_lr", 0.0001, "Floor of that rate, with pre_lr_stop."),
    ("pre_lr_stop", False, "Stop halving the pre-training rate at min_pre_lr."),
    ("pre_lr_dropstep", 5000, "Iterations between halvings of that rate."),
    ("pre_print_step", 1000, "Iterations between log lines of pre-training."),
    ("pre_sum_step", 10, "Iterations between TensorBoard scalars of pre-training."),
    ("pre_save_step", 1000, "Iterations between checkpoints of pre-training."),
]  # fmt: skip

TEST_FLAGS = [
    ("test_iter", "15000", "Checkpoint to test: an iteration, `best` (on validation), `last`, or "
     "0 for the pre-trained weights with a fresh classifier."),
    ("nb_ul_samples", 100, "Unlabeled images per class."),
    ("use_distractors", False, "Add unlabeled images of num_dis classes outside the episode."),
    ("num_dis", 3, "Distractor classes, with use_distractors."),
    ("recurrent_stage_nums", 4, "Stages of self-training."),
    ("nums_in_folders", 30, "Unlabeled images per class that a stage looks at."),
    ("hard_selection", 20, "Images per class that a stage keeps."),
    ("selection", "hard", "Images that a stage keeps of these: `hard`, the most confident ones of "
     "each class, or `none`, all."),
    ("bn_stats", "auto", "What batch norm goes by: `batch`, the batch at hand as in the paper; "
     "`calibrated`, statistics of base-class images, so that each image is embedded once, many "
     "times faster; `auto`: `batch` with protocol=paper, else `calibrated`."),
    ("initial_classifier", "meta", "Where each stage starts: `meta`, the meta-learned classifier, "
     "or `plain`, one drawn from the seed."),
    ("re_train_epoch_num", 10, "Steps on support and kept images in a stage; 0: none."),
    ("local_update_num", 40, "Steps of a stage in all, the rest on the support set alone."),
    ("test_base_epoch_num", 100, "Steps of the last stage with those after it."),
    ("test_episode_num", 600, "Episodes of the test."),
]  # fmt: skip

CONVERT_FLAGS = [
    ("input", "", "File or folder of the original: weights_<n>.npy, and for a learner beside it "
     "ss_weights_<n>.npy, fc_weights_<n>.npy and swn_weights_<n>.npy; or what a TensorFlow 1 "
     "Saver wrote, <name>-<n>.index and .data-*."),
    ("output", "", "Folder to write into: pretrain_weights/<dataset> for a backbone, "
     "checkpoints/<exp_name> for a learner."),
    ("to_tf1", False, "The other way: step_<n>.npz of ours into the original's files."),
    ("dry_run", False, "Check and print the table, write nothing."),
    ("verify", False, "Read back what was written and compare bit for bit."),
    ("img_size", 84, "Side of the images in pixels."),
    ("activation", "leaky_relu", "Activation: leaky_relu, relu or None."),
    ("norm", "batch_norm", "Normalization: batch_norm, layer_norm or None."),
]  # fmt: skip

# Flags of the original whose job is gone, with what to use instead.
RETIRED_FLAGS = [
    ("gpu_rate", 0.9, "memory is taken as needed"),
    ("full_gpu_memory_mode", False, "memory is taken as needed"),
    ("metatrain", True, "train.py trains, test.py tests"),
    ("base_augmentation", False, "the original never read it"),
    ("test_base_augmentation", False, "the original never read it"),
    ("pretrain_folders", "", "pre-training reads data/<dataset>"),
    ("pretrain_val_folders", "", "pre-training reads data/<dataset>"),
    ("exp_string", "", "the original derives it from others, and so do we"),
    ("logdir", "", "pass --logdir_base, --exp_log_label and --exp_name"),
    ("pretrain_dir", "", "pass --pretrain_w_path"),
    ("pretrain_weights_path", "", "pass --pretrain_w_path"),
    ("finetune_weights_path", "", "pass --finetune_w_path"),
    ("test_output_dir", "", "results lie in the run's folder"),
]


def define_train_flags() -> None:
    """Defines the flags of `train.py`."""
    _define(COMMON_FLAGS + TRAIN_FLAGS + _retired_rows(), "Pre-trains (--phase=pre), meta-trains.")
    _define_foreign(TRAIN_FLAGS, TEST_FLAGS, "test.py")


def define_test_flags() -> None:
    """Defines the flags of `test.py`."""
    _define(COMMON_FLAGS + TEST_FLAGS + _retired_rows(), "Meta-tests a learner.")
    _define_foreign(TEST_FLAGS, TRAIN_FLAGS, "train.py")


def define_convert_flags() -> None:
    """Defines the flags of `convert_tf1_weights.py`."""
    _define(CONVERT_FLAGS, "Converts weights of the original program, and back.")


def _define_foreign(own: list[tuple], other: list[tuple], script: str) -> None:
    """Defines the other script's flags: the original's commands repeat some of them."""
    names = {name for name, *_ in own}
    for name, default, _ in other:
        if name not in names:
            DEFINERS[type(default)](name, default, f"No effect here: a flag of {script}.")


def _define(rows: list[tuple], about: str) -> None:
    for name, default, text in rows:
        DEFINERS[type(default)](name, default, text)
    show_on_help((name for name, *_ in rows), f"{about}\n\nSee the README for whole commands.")


def _retired_rows() -> list[tuple]:
    return [(name, default, f"No effect: {why}.") for name, default, why in RETIRED_FLAGS]
