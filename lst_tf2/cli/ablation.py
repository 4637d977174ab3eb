"""Prints the ablation table of arXiv:1906.00562 (its table 2): what each part of LST adds.

    lst ablation checkpoints/ablation checkpoints/ablation_unweighted

reads the results that `lst test` left in those folders.
"""

import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.evaluation.ablation import ablation_rows
from lst_tf2.evaluation.results import read_summaries
from lst_tf2.evaluation.tables import markdown_table


def run_ablation(_: flags.FlagValues, words: Sequence[str]) -> None:
    """Prints the table of the results in the folders `words`."""
    summaries = read_summaries([pathlib.Path(word) for word in words])
    print(markdown_table(ablation_rows(summaries)))
    first = summaries[0]
    print(
        f"{first['way']}-way {first['shot']}-shot, % at the last step, mean ± 95 % over "
        f"{first['episodes']} episodes, protocol {first['protocol']}; gain: paired, over the "
        f"support set alone.\nNext: look into a row with lst report {words[0]}"
    )


ABLATION = Command("lst ablation", __doc__, run_ablation, words="<run folder> ...")
