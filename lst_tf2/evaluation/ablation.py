"""The ablation table of arXiv:1906.00562 (its table 2): what each part of LST adds.

There is a row for each setting: from which initial classifier it starts, which unlabeled images
it keeps, how it weighs them, and in how many stages.
"""

from lst_tf2.config import INITIAL_CLASSIFIERS, SELECTIONS, WEIGHTINGS
from lst_tf2.errors import check
from lst_tf2.evaluation.report import describe, method_of, signed, title_of

HEADER = ("classifier", "selection", "weights", "stages")
# Told apart from a plain classifier on a meta-trained backbone.
PRETRAINED = "not meta-learned"


def setting_of(summary: dict) -> tuple[str, str, str, int]:
    """Returns the cells of a row that name its setting."""
    settings = summary["settings"]
    stages = settings["self_training"]
    is_pretrained = summary["test_iter"] == "0" and not settings.get("finetune_path")
    initial = PRETRAINED if is_pretrained else settings.get("initial_classifier", "meta")
    selection, weighting = stages.get("selection", "hard"), stages.get("weighting", "soft")
    return initial, selection, weighting, len(summary["per_stage"])


def rank(setting: tuple[str, str, str, int]) -> tuple:
    """Returns what sorts the rows: from nothing meta-learned to all of LST."""
    initial, selection, weighting, num_stages = setting
    initials = (PRETRAINED, *reversed(INITIAL_CLASSIFIERS))
    return (
        initials.index(initial),
        -WEIGHTINGS.index(weighting),
        -SELECTIONS.index(selection),
        num_stages,
    )


def ablation_rows(summaries: list[dict]) -> list[list[str]]:
    """Returns header and rows: accuracy and paired gain at the last step, in percent.

    Results of other methods than LST are left out.

    Raises:
        InputError: If two results belong into the same cell.
    """
    summaries = [summary for summary in summaries if method_of(summary) == "lst"]
    titles = list(dict.fromkeys(title_of(summary) for summary in summaries))
    cells: dict[tuple, dict[str, dict]] = {}
    for summary in summaries:
        columns = cells.setdefault(setting_of(summary), {})
        check(
            title_of(summary) not in columns,
            f"one result with {', '.join(map(str, setting_of(summary)))}, {title_of(summary)}",
            "another that differs in something else",
            "move results_* files that are not of this ablation out of the folders",
        )
        columns[title_of(summary)] = summary
    rows = [[*HEADER, *(cell for title in titles for cell in (title, "gain"))]]
    for setting in sorted(cells, key=rank):
        row = [str(value) for value in setting]
        for title in titles:
            found = cells[setting].get(title)
            row += [describe(found["last_step"]), signed(found["gain"])] if found else ["", ""]
        rows.append(row)
    return rows
