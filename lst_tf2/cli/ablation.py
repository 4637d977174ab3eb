"""Prints the ablation table of arXiv:1906.00562 (its table 2): what each part of LST adds.

    python -m lst_tf2.cli.ablation <run folder> <run folder> ...

reads the results that `test.py` left in those folders.
"""

import pathlib
import sys

from lst_tf2.errors import exit_on_input_error
from lst_tf2.evaluation.ablation import format_table, table_rows
from lst_tf2.evaluation.report import read_summaries


def main() -> None:
    """Runs the command."""
    if len(sys.argv) < 2 or any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit(__doc__)
    with exit_on_input_error():
        folders = [pathlib.Path(argument) for argument in sys.argv[1:]]
        summaries = [summary for folder in folders for summary in read_summaries(folder)]
        print(format_table(table_rows(summaries)))
        first = summaries[0]
        print(
            f"{first['way']}-way {first['shot']}-shot, % at the last step, mean ± 95 % over "
            f"{first['episodes']} episodes, protocol {first['protocol']}; gain: paired, over the "
            "support set alone.\nNext: look into a row with python -m lst_tf2.cli.report "
            f"{folders[0]}"
        )


if __name__ == "__main__":
    main()
