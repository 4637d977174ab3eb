"""Shows the results of meta-tests side by side.

    lst report checkpoints/demo
    lst report checkpoints/LST_mini_1_shot checkpoints/LST_mini_5_shot

reads what `lst test` left in the folders of one or several runs, prints tables and draws accuracy
over the stages of self-training into stages.png of the first. Columns are titled by what they
differ in.
"""

import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.evaluation.report import format_tables, plot_stages
from lst_tf2.evaluation.results import read_summaries


def run_report(_: flags.FlagValues, words: Sequence[str]) -> None:
    """Prints the results in the folders `words` and plots them."""
    folders = [pathlib.Path(word) for word in words]
    summaries = read_summaries(folders)
    print(format_tables(summaries), end="\n\n")
    path = folders[0] / "stages.png"
    plot_stages(summaries, path)
    print(f"Plot: {path}\nNext: tensorboard --logdir {folders[0]}")


REPORT = Command("lst report", __doc__, run_report, words="<run folder> ...")
