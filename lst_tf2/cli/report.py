"""The command that shows the results of a run side by side."""

import pathlib
import sys

from lst_tf2.errors import exit_on_input_error
from lst_tf2.evaluation.report import format_table, group_tables, plot_stages, read_summaries


def main() -> None:
    """Runs `python -m lst_tf2.cli.report <run folder>`."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m lst_tf2.cli.report <run folder>")
    folder = pathlib.Path(sys.argv[1])
    with exit_on_input_error():
        summaries = read_summaries(folder)
        for table in group_tables(summaries):
            print(format_table(table), end="\n\n")
        plot_stages(summaries, folder / "stages.png")
        print(f"Plot: {folder / 'stages.png'}\nNext: tensorboard --logdir {folder}")


if __name__ == "__main__":
    main()
