"""The commands behind `train.py`, `test.py` and `convert_tf1_weights.py`, and `lst-*` of them."""

import os
import pathlib
import shlex
import sys
from collections.abc import Callable
from typing import Any

from absl import app, logging
from absl import flags as absl_flags

from lst_tf2.backend import explain_exhausted_memory, require_tensorflow_backend
from lst_tf2.cli import flag_tables, flags, original_paths
from lst_tf2.config import MetaTestConfig, MetaTrainConfig, ModelConfig, PretrainConfig
from lst_tf2.errors import LostWorkerError, exit_on_input_error
from lst_tf2.settings import name_flags

FLAGS = absl_flags.FLAGS
# Counts how often a process began anew after another was lost, so that it ends some time.
REJOINS = "LST_TF2_REJOINS"
MAX_REJOINS = 20
# What the next command must repeat, after pre-training and after meta-training.
PRETRAINED_FLAGS = (
    *("dataset", "data_path", "cache", "img_size", "filters", "activation", "norm"),
    *("pretrain_w_path", "pretrain_iterations", "seed"),
)
RUN_FLAGS = ("exp_name", "logdir_base", "way_num", "shot_num", "base_lr", "protocol")


def train() -> None:
    """Runs pre-training (`--phase=pre`) or meta-training (`--phase=meta`)."""
    flag_tables.define_train_flags()
    _run(
        _train,
        flag_tables.TRAIN_SETTINGS,
        "pass --recompute or --precision=bfloat16 (in pre-training also a smaller "
        "--pretrain_batch_size), or choose a smaller --img_size or narrower --filters",
    )


def test() -> None:
    """Runs meta-test."""
    flag_tables.define_test_flags()
    _run(
        _test,
        flag_tables.TEST_SETTINGS,
        "pass --precision=bfloat16 or fewer --nums_in_folders, or choose a smaller --img_size or "
        "narrower --filters",
    )


def convert() -> None:
    """Converts weights of the original program, or ours into them."""
    flag_tables.define_convert_flags()
    _run(_convert, (), "close other programs")


def _run(body: Callable[[], None], settings: tuple[type, ...], memory_remedy: str) -> None:
    """Runs `body` with parsed flags; a user's mistake ends in one line.

    Args:
        body: What the command does.
        settings: What its flags set; a mistake in these is told with the flags.
        memory_remedy: What to do when it needs more memory than the device has.
    """
    # TensorFlow's own start-up notes would drown ours; its warnings remain.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.WARNING)

    def main(arguments: list[str]) -> None:
        if len(arguments) > 1:
            raise app.UsageError(f"Expected flags only, received {arguments[1:]}.")
        named = name_flags(flag_tables.flags_by_setting(*settings))
        with exit_on_input_error(), named:
            _choose_device()
            require_tensorflow_backend()
            try:
                with explain_exhausted_memory(memory_remedy):
                    body()
            except LostWorkerError as error:
                _rejoin(error)

    app.run(main)


def _rejoin(error: LostWorkerError) -> None:
    """Begins this process anew: it waits for the lost worker and goes on with it.

    TensorFlow can not take a process up again into a running group.
    """
    rejoins = int(os.environ.get(REJOINS, "0"))
    if rejoins == MAX_REJOINS:
        raise error
    os.environ[REJOINS] = str(rejoins + 1)
    print(f"{error} The run goes on from its newest checkpoint.", file=sys.stderr, flush=True)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _choose_device() -> None:
    """Shows TensorFlow the GPU that `--device_id` names, as the original does."""
    if "device_id" in FLAGS and FLAGS["device_id"].present:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(FLAGS.device_id)


def _train() -> None:
    config = flags.train_config(FLAGS)
    _take_memory_as_needed()
    if isinstance(config, PretrainConfig):
        from lst_tf2.training.pretrain import pretrain as run

        hint = f"python train.py {_same_flags(PRETRAINED_FLAGS)}"
    else:
        from lst_tf2.training.meta_train import meta_train as run

        _adopt_originals(config)
        hint = f"python test.py {_same_flags(PRETRAINED_FLAGS + RUN_FLAGS)} --test_iter=last"
    written = run(config, overwrite=FLAGS.overwrite)
    print(f"{written}\nCurves: tensorboard --logdir {config.run_folder}\nNext: {hint}")


def _test() -> None:
    config = flags.test_config(FLAGS)
    _take_memory_as_needed()
    from lst_tf2.evaluation.meta_test import meta_test
    from lst_tf2.evaluation.report import format_table, write_results

    _adopt_originals(config)
    results = meta_test(config)
    if not config.distribution.is_chief:
        return
    written = write_results(*results, pathlib.Path(config.run_folder))
    print(format_table([results.summary]))
    print("Results: " + ", ".join(str(path) for path in written))
    print(f"Next: python -m lst_tf2.cli.report {config.run_folder}")


def _adopt_originals(config: MetaTrainConfig | MetaTestConfig) -> None:
    """Converts weights in the original program's folders that this command needs."""
    from lst_tf2.tf1.convert_on_demand import adopt

    if isinstance(config, MetaTestConfig) and config.test_iter != "0":
        step = config.test_iter if config.test_iter.isdecimal() else "last"
        target = os.path.join(config.run_folder, f"step_{step}.npz")
        sources = original_paths.run_sources(FLAGS)
    elif config.finetune_path:
        target = config.finetune_path
        sources = original_paths.finetune_sources(FLAGS, target)
    else:
        target, sources = config.pretrained_path, original_paths.backbone_sources(FLAGS)
    if source := adopt(pathlib.Path(target), sources, config.model):
        print(f"Converted the original's {source} into {pathlib.Path(target).parent}")


def _take_memory_as_needed() -> None:
    """Keeps TensorFlow from reserving the whole memory of every GPU."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _convert() -> None:
    from lst_tf2.tf1.weight_files import write_groups
    from lst_tf2.tf1.weight_import import check_target, write_checkpoint
    from lst_tf2.tf1.weight_report import format_table, verify

    target, conversions = pathlib.Path(FLAGS.output), _read_conversions()
    if not FLAGS.to_tf1:
        check_target(conversions, target)
    for conversion in conversions:
        print(format_table(conversion))
        if FLAGS.dry_run:
            continue
        if FLAGS.to_tf1:
            print("Written:", *write_groups(conversion.groups, conversion.step, target))
        else:
            print("Written:", write_checkpoint(conversion, target))
        if FLAGS.verify:
            verify(conversion, target, to_tf1=FLAGS.to_tf1)
            print("Verified: the written arrays are those read, bit for bit.")
    print("Nothing written: --dry_run." if FLAGS.dry_run else f"Next: {_convert_hint(conversion)}")


def _read_conversions() -> list:
    """Returns every step at `--input`, checked."""
    from lst_tf2.tf1.weight_export import find_checkpoint_files, read_checkpoint
    from lst_tf2.tf1.weight_files import find_steps
    from lst_tf2.tf1.weight_import import read_step

    settings, source = flags.convert_model_config(FLAGS), pathlib.Path(FLAGS.input)
    read, find = (
        (read_checkpoint, find_checkpoint_files) if FLAGS.to_tf1 else (read_step, find_steps)
    )
    return [read(files, step, settings) for step, files in sorted(find(source).items())]


def _convert_hint(last: Any) -> str:
    """Returns what to do with what was written, of which `last` is the newest step."""
    if FLAGS.to_tf1:
        return f"give {FLAGS.output} to the original program"
    folder = pathlib.Path(FLAGS.output)
    words = {
        "pre-trained backbone": [
            *("train.py", f"--pretrain_w_path={folder.parent}", f"--dataset={folder.name}"),
            f"--pretrain_iterations={last.step}",
        ],
        "Meta-Transfer Learning weights": [
            *("train.py", "--meta_finetune"),
            f"--finetune_w_path={folder / f'step_{last.step}.npz'}",
        ],
        "LST checkpoint": ["test.py", f"--exp_name={folder.name}", f"--test_iter={last.step}"],
    }[last.kind]
    if last.model.filters != ModelConfig().filters:
        words.append(f"--filters={','.join(map(str, last.model.filters))}")
    command = shlex.join(["python", *words])
    is_misplaced = last.kind == "LST checkpoint" and folder.parent != pathlib.Path("checkpoints")
    remark = " (with --logdir_base=<folder that holds checkpoints/>)" if is_misplaced else ""
    return f"{command} {_same_flags(('img_size', 'activation', 'norm'))}".rstrip() + remark


def _same_flags(names: tuple[str, ...]) -> str:
    """Returns those of `names` that are not at their defaults, as the next command takes them."""
    default = [name for name in names if FLAGS[name].value == FLAGS[name].default]
    given = [FLAGS[name].serialize() for name in names if name not in default]
    return " ".join(shlex.quote(word) for word in given)
