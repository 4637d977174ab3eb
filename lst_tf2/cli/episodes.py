"""Imports, exports, prints and checks episode lists: which images make up each episode.

    import  takes the lists of the original program (--input) for training and test to open
    export  writes ours in the original's format into a folder of --output
    print   shows one episode (--index) of a stored list (--list or --split)
    check   checks the stored lists (or --list) against the images that lie there now

The names in the original's lists may begin with any folder; the images are looked for in
<data_path>/data/<dataset>. What is missing there is reported, and no list of that split is
written; lists that are already stored are never replaced. For example:

    lst episodes import --input=filenames_and_labels/mini_1shot_5way
    lst episodes check
    lst episodes print --split=val --index=3
    lst episodes export --output=filenames_and_labels --splits=val,test
"""

import shlex
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli import list_flags
from lst_tf2.cli.command import Command
from lst_tf2.cli.list_flags import ListFlags
from lst_tf2.cli.list_opening import data_flags, opening_command, opening_text
from lst_tf2.cli.list_text import episode_lines
from lst_tf2.config import ListConfig
from lst_tf2.data.layout import scan_split
from lst_tf2.data.list_check import check_folders, check_lines
from lst_tf2.data.lists import list_folder, load_lists, stored_config
from lst_tf2.errors import check
from lst_tf2.tf1.list_export import check_free, lists_to_export, write_tf1_folder
from lst_tf2.tf1.list_import import SplitReport, import_lists

# Missing images named for each split.
NUM_SHOWN = 10


def run_episodes(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Does what the one of `ACTIONS` that `words` names does, and tells what to run next."""
    (action,) = words
    ACTIONS[action](list_flags.read_flags(values, action))


def import_from_tf1(asked: ListFlags) -> None:
    """Stores lists of the original program and reports which images are missing."""
    reports = import_lists(list_flags.import_request(asked))
    for report in reports:
        print("\n".join(report_lines(report)))
    check_reports(reports)
    configs = [config for report in reports for config, _ in report.imported]
    commands = filter(None, map(opening_command, configs))
    print("Next:", next(commands, None) or own_command("check", configs[0]))


def report_lines(report: SplitReport) -> list[str]:
    """Returns what became of the lists of one split."""
    split, num_missing = report.split, len(report.missing)
    if num_missing:
        total = report.num_found + num_missing
        counts = f"{report.num_found} of {total} named images found, {num_missing} missing"
        lines = [f"{split}: {counts}: nothing imported"]
        lines += [f"  missing {name}" for name in report.missing[:NUM_SHOWN]]
        num_more = max(0, num_missing - NUM_SHOWN)
        return [*lines, f"  and {num_more} more"] if num_more else lines
    if report.problem:
        return [f"{split}: nothing imported. {report.problem}"]
    lines = [f"{split}: all {report.num_found} named images found"]
    for config, is_new in report.imported:
        lines.append(f"  {'written' if is_new else 'there already'}: {list_folder(config)}")
        lines.append(f"    {opening_text(config)}")
    return lines


def check_reports(reports: list[SplitReport]) -> None:
    """Raises `InputError` if the lists of a split could not be imported."""
    problems = {report.split: report.problem for report in reports if report.problem}
    if len(set(map(str, problems.values()))) == 1:
        raise next(iter(problems.values()))
    check(
        not problems,
        "sound lists of images that are there",
        f"problems in {', '.join(problems)}",
        "fix what is shown above and run the command again",
    )


def export_to_tf1(asked: ListFlags) -> None:
    """Writes lists as the original program does."""
    folder = list_flags.export_folder(asked)
    check_free(folder)
    configs = [list_flags.export_config(asked, split) for split in asked.chosen_splits]
    exported = [lists_to_export(config) for config in configs]
    write_tf1_folder(exported, folder, asked.root)
    for config in configs:
        print(f"{config.split}: {config.num_episodes} episodes, {list_folder(config).name}")
    print(f"Wrote {folder}")
    print(f"Next: give {folder.parent} to the original program as its filenames_and_labels")


def print_episode(asked: ListFlags) -> None:
    """Shows one episode of a stored list."""
    folder = list_flags.single_folder(asked)
    config = stored_config(folder)
    lists = load_lists(folder, scan_split(config.data_folder, config.split), config)
    lines = episode_lines(lists, asked.index, asked.protocol)
    print("\n".join([f"{folder}: {opening_text(config)}", *lines]))
    following = (asked.index + 1) % len(lists)
    print("Next:", own_command("print", config, f"--list={folder.name}", f"--index={following}"))


def check_stored(asked: ListFlags) -> None:
    """Checks stored lists and prints a table of them."""
    folders = list_flags.named_folders(asked)
    checked = check_folders(folders)
    print("\n".join(check_lines(checked)))
    num_wrong = sum(bool(entry.problem) for entry in checked)
    sound, remedy = f"{len(checked)} sound lists", "fix what is shown above"
    check(not num_wrong, sound, f"{num_wrong} that are not", remedy)
    config = stored_config(folders[0])
    print("Next:", own_command("print", config, f"--list={folders[0].name}"))


def own_command(action: str, config: ListConfig, *more: str) -> str:
    """Returns a command of this module for the data set of `config`."""
    words = [action, *data_flags(config), *more]
    return " ".join(["lst episodes", *map(shlex.quote, words)])


ACTIONS = {
    "import": import_from_tf1,
    "export": export_to_tf1,
    "print": print_episode,
    "check": check_stored,
}
EPISODES = Command("lst episodes", __doc__, run_episodes, (ListFlags,), choices=tuple(ACTIONS))
