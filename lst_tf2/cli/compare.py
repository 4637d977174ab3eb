"""Compares methods on the same episodes: accuracy, rejected distractors, time.

    lst compare --dataset=glyphs --exp_name=demo

runs every method on the same --episodes episodes of each kind: 1 and 5 shots, without and with
classes outside the episode among the unlabeled images, in even and uneven numbers. Gains are over
the support set alone, episode by episode. It writes results/compare_<dataset>.json, a table (.md),
plots (.png) of accuracy, rejected distractors and reliability, and a page of all that (.html). The
features are those of the run, each image embedded once; settings that `lst tune` chose for the run
are used (--notuned: not). With --backbone it is of a preset or of pre-trained weights instead:

    lst compare --dataset=cifar_fs --backbone=pretrain_weights/cifar_fs --num_dis=0,3
"""

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.cli.flag_tables import DataFlags, RunNameFlags
from lst_tf2.cli.next_test import next_test
from lst_tf2.cli.report import report_comparison
from lst_tf2.cli.run_configs import tell_of_tuned
from lst_tf2.cli.subjects import piles_and_subject
from lst_tf2.cli.tensorflow_run import tensorflow_run
from lst_tf2.config import DATA, CompareConfig
from lst_tf2.data.layout import require_dataset
from lst_tf2.settings import setting


@dataclasses.dataclass(frozen=True)
class CompareFlags(RunNameFlags, DataFlags):
    """Holds of which run and data set, and where to.

    Attributes:
        out: Folder to write into.
    """

    out: str = setting("results", flag="out", group=DATA)


SETTINGS = (CompareFlags, CompareConfig)
MEMORY_REMEDY = "lower --nb_ul_samples or --num_dis"


def run_compare(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Compares, prints the table, and writes it, its numbers and a plot."""
    with tensorflow_run(values, MEMORY_REMEDY):
        asked = build_from(CompareFlags, values)
        out = pathlib.Path(asked.out)
        require_dataset(asked.data_folder)
        config, subject = piles_and_subject(CompareConfig, SETTINGS, values)
        from lst_tf2.evaluation.compare import compare
        from lst_tf2.evaluation.compare_report import (
            ACCURACY,
            first_method,
            format_comparison,
            write_comparison,
        )

        payload = compare(config, subject)
        for method, taken in payload["tuned"].items():
            print(tell_of_tuned(method, taken))
        print(format_comparison(payload["rows"], [ACCURACY]), end="\n\n")
        stem = f"compare_{os.path.basename(config.data_folder)}"
        written = write_comparison(payload, out / stem)
        written.append(report_comparison(written[0]))
        print("Results: " + ", ".join(map(str, written)))
        stages = config.stages_of(first_method(payload["rows"]))
        if config.backbone:
            print(f"Next: {next_prediction(config.backbone, stages.method)}")
        else:
            print(f"Next: {next_test(values, config, stages)}")


def next_prediction(backbone: str, method: str) -> str:
    """Returns the prediction with a backbone and a method on people's own images."""
    words = f"--backbone={shlex.quote(backbone)} --method={shlex.quote(method)}"
    return f"lst predict {words} --support=<folder> --unlabeled=<folder>"


COMPARE = Command("lst compare", __doc__, run_compare, SETTINGS)
