"""Shows the results of meta-tests side by side, as tables and as a page.

    lst report checkpoints/demo
    lst report checkpoints/LST_mini_1_shot checkpoints/LST_mini_5_shot
    lst report results/compare_glyphs.json

reads what `lst test` left in the folders of one or several runs, prints tables and draws accuracy
over the stages of self-training into stages.png of the first. Columns are titled by what they
differ in. It also writes report.html beside that, a page that needs nothing else: the tables beside
the published numbers, curves with intervals, settings. Of what `lst compare` wrote it makes such a
page, under the same name.
"""

import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.errors import check
from lst_tf2.evaluation.figures import write_figure
from lst_tf2.evaluation.report import draw_stages, format_tables
from lst_tf2.evaluation.results import read_summaries
from lst_tf2.storage.files import read_json, write_bytes


def run_report(_: flags.FlagValues, words: Sequence[str]) -> None:
    """Tells of the runs or the comparison that `words` names."""
    places = [pathlib.Path(word) for word in words]
    if any(place.suffix == ".json" for place in places):
        check(len(places) == 1, "one comparison, or folders of runs", " ".join(words), "name one")
        page = report_comparison(places[0])
        print(f"Page: {page}\nNext: open {page}")
    else:
        report_runs(places)


def report_runs(folders: Sequence[pathlib.Path]) -> None:
    """Prints the results in the folders, plots them, and writes a page."""
    from lst_tf2.predict.run_page import render_run

    summaries = read_summaries(folders)
    print(format_tables(summaries), end="\n\n")
    plot, page = folders[0] / "stages.png", folders[0] / "report.html"
    write_figure(draw_stages(summaries), plot)
    write_bytes(page, render_run(summaries).encode())
    print(f"Plot: {plot}\nPage: {page}\nNext: tensorboard --logdir {folders[0]}")


def report_comparison(path: pathlib.Path) -> pathlib.Path:
    """Writes a page about a comparison beside its numbers, and returns its path."""
    from lst_tf2.predict.run_page import render_comparison

    payload = read_json(path, rows=list, settings=dict)
    check(len(payload["rows"]) > 0, f"rows in {path}", "none", "run `lst compare` again")
    page = path.with_suffix(".html")
    write_bytes(page, render_comparison(payload, path.stem).encode())
    return page


REPORT = Command("lst report", __doc__, run_report, words="<run folder> ... | <comparison>.json")
