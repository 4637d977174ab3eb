import copy
import re

from lst_tf2.evaluation import report
from tests.small_results import figure


def test_table_gives_percent_with_intervals(summary):
    lines = report.format_table([summary]).splitlines()
    cells = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines[:-1]}
    assert cells["support only"] == "80.1 ± 1.0"
    assert cells["LST, first stage"] == "85.0 ± 1.0"
    assert cells["LST, last stage (2), last step"] == "90.0 ± 1.2"
    assert cells["paired gain, first stage"] == "-4.9 ± 1.0"
    assert cells["paired gain, last step"] == "+9.9 ± 1.0"
    assert cells["right pseudo labels, first stage"] == "none"
    assert lines[-1] == (
        "mean ± 95 % interval over 100 episodes, test_iter=last, seed=0, protocol=standard"
    )


def with_settings(summary, **changes):
    """The same figures of a test with other settings, named by their dotted names."""
    other = copy.deepcopy(summary)
    for dotted, value in changes.items():
        *parts, name = dotted.split("__")
        settings = other["settings"]
        for part in parts:
            settings = settings[part]
        assert name in settings
        settings[name] = value
        if name in other:
            other[name] = value
    return other


def columns_of(table):
    """Cells of the title lines, column by column, of a table without spaces in its titles."""
    lines = table.splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("support only"))
    return [re.split(" {2,}", line)[1:] for line in lines[:end]]


def test_columns_are_titled_by_what_differs(summary):
    other = with_settings(summary, test_list__episode__num_distractor_classes=3)
    table = report.format_tables([other, summary])
    assert columns_of(table) == [["no distractors", "3 distractor classes"]]
    assert table.startswith("5-way 1-shot, %")
    other = with_settings(summary, self_training__retrain_steps=0, bn_stats="calibrated")
    table = report.format_tables([summary, other])
    assert columns_of(table) == [
        ["retrain_steps=0", "retrain_steps=10"],
        ["bn_stats=calibrated", "bn_stats=batch"],
    ]


def test_runs_and_data_sets_stand_side_by_side(summary):
    runs = [
        with_settings(summary, test_list__data_folder=f"data/{data}", test_list__episode__shot=shot)
        | {"run_folder": f"checkpoints/{data}_{shot}"}
        for data in ("glyphs", "mini")
        for shot in (1, 5)
    ]
    table = report.format_tables(runs[::-1])
    assert columns_of(table) == [
        ["glyphs_1", "glyphs_5", "mini_1", "mini_5"],
        ["glyphs", "glyphs", "mini", "mini"],
        ["1-shot", "5-shot", "1-shot", "5-shot"],
    ]
    assert table.startswith("5-way, %")


def test_a_path_is_told_where_nothing_else_differs(summary):
    other = with_settings(summary, pretrained_path="step_7.npz")
    assert report.differing_settings([summary, other]) == ["pretrained_path"]
    other = with_settings(other, test_iter="best")
    assert report.differing_settings([summary, other]) == ["test_iter"]


def test_last_stage_has_no_number_where_numbers_of_stages_differ(summary):
    other = with_settings(summary, self_training__num_stages=1)
    for name in ("per_stage", "pseudo_label_accuracy"):
        other[name] = summary[name][:1]
    table = report.format_tables([summary, other])
    assert "LST, last stage, last step" in table
    assert columns_of(table) == [["num_stages=1", "num_stages=4"]]


def test_many_results_fill_several_tables(summary):
    others = [with_settings(summary, test_list__seed=seed) for seed in range(12)]
    tables = report.format_tables(others).split("\n\n")
    titles = [title for table in tables for title in columns_of(table)[0]]
    assert titles == [f"seed={seed}" for seed in range(12)]
    assert len(tables) == 3


def test_setting_that_older_results_lack_is_no_difference(summary):
    older = copy.deepcopy(summary)
    del older["settings"]["self_training"]["selection"]
    assert report.differing_settings([summary, older]) == []
    assert columns_of(report.format_tables([older, summary])) == [["no distractors"] * 2]


def test_common_settings_are_told_if_not_at_their_defaults(summary):
    last = report.format_table([with_settings(summary, self_training__inner_lr=0.5)])
    assert last.splitlines()[-1].endswith("test_iter=last, seed=0, inner_lr=0.5, protocol=standard")


def test_every_setting_has_a_name_of_its_own():
    names = [name.rpartition(".")[2] for name in report.DEFAULTS]
    names = [name for name in names if name != "kind"]
    assert len(set(names)) == len(names)


def test_one_episode_is_shown_without_an_interval(summary, tmp_path):
    alone = {**summary, "per_step": [figure(0.9, None)] * 3}
    for name in ("baseline", "last_step", "best_step", "gain", "first_stage_gain"):
        alone[name] = summary[name] | {"ci95": None}
    for name in ("per_stage", "pseudo_label_accuracy"):
        alone[name] = [one | {"ci95": None} for one in summary[name]]
    lines = report.format_table([alone]).splitlines()
    assert lines[1].endswith(" 80.1")
    assert not any("±" in line for line in lines[:-1])
    report.draw_stages([alone]).savefig(tmp_path / "x.png")
