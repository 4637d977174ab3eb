"""Converts weights of the original TensorFlow 1 program into our checkpoints, and back.

    lst convert --input=weights_14000.npy --output=pretrain_weights/miniImagenet
    lst convert --input=old/LST_mini_1_shot --output=checkpoints/LST_mini_1_shot
    lst convert --to_tf1 --input=checkpoints/LST_mini_1_shot --output=old

It finds out by itself whether a folder holds a pre-trained backbone, Meta-Transfer Learning weights
or an LST checkpoint, and checks every array. The files are Python pickles, which could hold a
program: nothing in them is run, and one that asks for more than a dict of arrays is refused.
"""

import dataclasses
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from lst_tf2.cli.command import Command, repeat_flags
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.cli.flag_tables import ConvertFlags
from lst_tf2.cli.tensorflow_run import tensorflow_run
from lst_tf2.config import ModelConfig
from lst_tf2.runs.checkpoints import find_checkpoints
from lst_tf2.tf1.weight_files import find_steps, write_groups


def run_convert(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Converts every step at `--input`, after all of them were checked."""
    asked = build_from(ConvertFlags, values)
    files = (find_checkpoints if asked.to_tf1 else find_steps)(pathlib.Path(asked.source))
    with tensorflow_run(values, "close other programs"):
        last = convert(asked, files)
    hint = _hint(asked, last, repeat_flags(values, ("img_size", "activation", "norm")))
    print("Nothing written: --dry_run." if asked.dry_run else f"Next: {hint}")


def convert(asked: ConvertFlags, files: Mapping[int, Any]) -> Any:
    """Converts `files` as asked for, shows it, and returns the newest step of it."""
    from lst_tf2.tf1.weight_export import read_saved_step
    from lst_tf2.tf1.weight_import import check_target, read_step, write_checkpoint
    from lst_tf2.tf1.weight_report import conversion_table, verify

    target, read = pathlib.Path(asked.target), read_saved_step if asked.to_tf1 else read_step
    conversions = [read(found, step, asked.model) for step, found in sorted(files.items())]
    if not asked.to_tf1:
        check_target(conversions, target)
    for conversion in conversions:
        print(conversion_table(conversion))
        if asked.dry_run:
            continue
        if asked.to_tf1:
            print("Written:", *write_groups(conversion.groups, conversion.step, target))
        else:
            print("Written:", write_checkpoint(conversion, target))
        if asked.verify:
            verify(conversion, target, to_tf1=asked.to_tf1)
            print("Verified: the written arrays are those read, bit for bit.")
    return conversions[-1]


def _hint(asked: ConvertFlags, last: Any, model_flags: str) -> str:
    """Returns what to do with what was written, of which `last` is the newest step."""
    if asked.to_tf1:
        return f"give {asked.target} to the original program"
    folder = pathlib.Path(asked.target)
    words = {
        "pre-trained backbone": [
            *("train", f"--pretrain_w_path={folder.parent}", f"--dataset={folder.name}"),
            f"--pretrain_iterations={last.step}",
        ],
        "Meta-Transfer Learning weights": [
            *("train", "--meta_finetune"),
            f"--finetune_w_path={folder / f'step_{last.step}.npz'}",
        ],
        "LST checkpoint": ["test", f"--exp_name={folder.name}", f"--test_iter={last.step}"],
    }[last.kind]
    if last.model.filters != ModelConfig().filters:
        words.append(f"--filters={','.join(map(str, last.model.filters))}")
    is_misplaced = last.kind == "LST checkpoint" and folder.parent != pathlib.Path("checkpoints")
    remark = " (with --logdir_base=<folder that holds checkpoints/>)" if is_misplaced else ""
    return f"{shlex.join(['lst', *words])} {model_flags}".rstrip() + remark


CONVERT = Command("lst convert", __doc__, run_convert, (ConvertFlags,))
NAME = "python convert_tf1_weights.py"
SCRIPT = dataclasses.replace(CONVERT, name=NAME, about=__doc__.replace("lst convert", NAME))
