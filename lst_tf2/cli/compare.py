"""Compares methods on the same episodes: accuracy, rejected distractors, time.

    lst compare --dataset=glyphs --exp_name=demo

runs every method on the same --episodes episodes of each kind: 1 and 5 shots, without and with
classes outside the episode among the unlabeled images, in even and uneven numbers. Gains are over
the support set alone, episode by episode. It writes results/compare_<dataset>.json, a table (.md),
plots (.png) of accuracy, rejected distractors and reliability, and a page of all that (.html). The
features are those of the run, each image embedded once; settings that `lst tune` chose for the run
are used (--notuned: not).
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.cli.flag_tables import DataFlags, RunNameFlags
from lst_tf2.cli.next_test import next_test
from lst_tf2.cli.report import report_comparison
from lst_tf2.cli.run_configs import piles_config, tell_of_tuned
from lst_tf2.cli.tensorflow_run import take_memory_as_needed, tensorflow_run
from lst_tf2.config import DATA, CompareConfig
from lst_tf2.settings import setting


@dataclasses.dataclass(frozen=True)
class CompareFlags(RunNameFlags, DataFlags):
    """Holds of which run and data set, and where to."""

    out: str = setting("results", "Folder to write into.", flag="out", group=DATA)


SETTINGS = (CompareFlags, CompareConfig)
MEMORY_REMEDY = "lower --nb_ul_samples or --num_dis"


def run_compare(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Compares, prints the table, and writes it, its numbers and a plot."""
    with tensorflow_run(values, MEMORY_REMEDY):
        config = piles_config(CompareConfig, SETTINGS, values)
        out = pathlib.Path(build_from(CompareFlags, values).out)
        take_memory_as_needed()
        from lst_tf2.evaluation.compare import compare
        from lst_tf2.evaluation.compare_report import (
            ACCURACY,
            first_method,
            format_comparison,
            write_comparison,
        )

        payload = compare(config)
        for method, taken in payload["tuned"].items():
            print(tell_of_tuned(method, taken))
        print(format_comparison(payload["rows"], [ACCURACY]), end="\n\n")
        stem = f"compare_{os.path.basename(config.data_folder)}"
        written = write_comparison(payload, out / stem)
        written.append(report_comparison(written[0]))
        print("Results: " + ", ".join(map(str, written)))
        stages = config.stages_of(first_method(payload["rows"]))
        print(f"Next: {next_test(values, config, stages)}")


COMPARE = Command("lst compare", __doc__, run_compare, SETTINGS)
