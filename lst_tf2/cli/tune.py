"""Chooses the settings of a method on validation classes, for tests and comparisons.

    lst tune --dataset=glyphs --exp_name=demo --method=graph_lst

runs the method on --episodes episodes of validation classes for each kind of pile, 1 and 5 shots,
without and with classes outside the episode, in even and uneven numbers. It goes through the
settings one by one, tries on the same episodes the values that the method's settings name as worth
it (`search=` of a setting), and keeps a value whose mean gain, episode by episode, exceeds
--min_gain and half of its own 95 % interval. Where the method has a slope and an offset of its
confidence, these are then fitted, so that an image of confidence 0.8 is right 8 times of 10.

The choice is kept in checkpoints/<exp_name>/tuned.json, those of other methods beside it. There
`lst test` and `lst compare` find it: flags given win, --notuned leaves it out. Here the search
starts from it, with --notuned from the defaults. With --backbone it is for a backbone without a
run, and kept in the folder of that. Test classes are not looked at. The gain told is
that of the episodes that chose, so rather too high: the test tells.
"""

import dataclasses
import pathlib
import shlex
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command, repeat_flags
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.cli.flag_tables import DataFlags, RunNameFlags
from lst_tf2.cli.next_test import next_test
from lst_tf2.cli.subjects import piles_and_subject
from lst_tf2.cli.tensorflow_run import tensorflow_run
from lst_tf2.config import SUPPORT, TuneConfig
from lst_tf2.data.layout import require_dataset
from lst_tf2.errors import check

SETTINGS = (RunNameFlags, DataFlags, TuneConfig)
MEMORY_REMEDY = "lower --nb_ul_samples or --num_dis"


def run_tune(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Chooses, keeps the choice in the run's folder, and prints what changed."""
    with tensorflow_run(values, MEMORY_REMEDY):
        require_dataset(build_from(DataFlags, values).data_folder)
        config, subject = piles_and_subject(TuneConfig, SETTINGS, values)
        folder = pathlib.Path(config.run_folder)
        check_kept_beside(folder, values.backbone)
        from lst_tf2.evaluation.tune import tune
        from lst_tf2.evaluation.tune_report import format_choice
        from lst_tf2.runs.tuned import write_tuned

        choice = tune(config, subject)
        print(format_choice(choice), end="\n\n")
        path = write_tuned(folder, config.method, choice["after"])
        print(f"Settings of {config.method}: {path}")
        if config.backbone:
            methods = shlex.quote(f"{SUPPORT},{config.method}")
            repeated = repeat_flags(values, ("dataset", "data_path", "backbone"))
            print(f"Next: lst compare {repeated} --methods={methods}")
            return
        stages = dataclasses.replace(config.start(), method_settings=())
        has_stages = "num_stages" in choice["after"]
        print(f"Next: {next_test(values, config, stages, has_tuned_stages=has_stages)}")


def check_kept_beside(folder: pathlib.Path, backbone: str) -> None:
    """Raises `InputError` where a backbone is in no folder of a user's, which keeps the choice."""
    check(
        not backbone or (folder.is_dir() and folder == pathlib.Path(backbone)),
        "the folder of a backbone, where the choice is kept",
        repr(backbone),
        "name such a folder",
        "backbone",
    )


TUNE = Command("lst tune", __doc__, run_tune, SETTINGS)
