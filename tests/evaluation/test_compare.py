import json

import numpy as np
import pytest

from lst_tf2.config import CompareConfig, EpisodeConfig, ModelConfig
from lst_tf2.errors import InputError
from lst_tf2.evaluation.compare_report import (
    ACCURACY,
    FIGURES,
    TIME,
    first_method,
    format_comparison,
    is_among_first,
    write_comparison,
)

CELL = EpisodeConfig(shot=5, num_distractor_classes=3, unlabeled_balance="dirichlet:2")


def test_rows_are_paired(rows):
    support, lst, mine = rows
    assert (lst["method"], lst["shot"], lst["distractor_classes"]) == ("lst", 5, 3)
    assert (lst["balance"], lst["episodes"]) == ("dirichlet:2", 3)
    assert lst["accuracy"]["mean"] == pytest.approx(2.3 / 3)
    # Gains 0.1, 0.3 and 0.1; those of the baseline over itself are none.
    assert lst["gain"]["mean"] == pytest.approx(0.5 / 3)
    assert lst["gain"]["ci95"] == pytest.approx(1.96 * np.std([0.1, 0.3, 0.1]) / np.sqrt(3))
    assert support["gain"] == {"mean": 0, "ci95": 0}
    # `mine` is first with 0.8; behind it `lst` is by 0.3, -0.1 and -0.1.
    assert mine["behind"] == {"mean": 0, "ci95": 0}
    assert lst["behind"]["mean"] == pytest.approx(0.1 / 3)
    assert [is_among_first(row) for row in rows] == [False, True, True]
    assert lst["rejected_distractors"]["mean"] == 1
    assert lst["seconds_per_episode"] == 0.5
    # 0.9 and 0.8 are right, 0.1 is not: errors 0.1, 0.2 and 0.1.
    assert lst["calibration_error"] == pytest.approx(0.4 / 3)
    curve = {point["kept_share"]: point["mean"] for point in lst["rejection_curve"]}
    assert curve[0.95] == 1


def test_table_and_files(rows, tmp_path):
    text = format_comparison(rows, [ACCURACY])
    assert "5-shot, 3 episodes of each kind. Accuracy" in text
    assert "| lst      | 76.7 ± 14.1 *         |" in text
    assert "| support  | 60.0 ± 9.2            |" in text
    assert first_method(rows) == "mine"
    paths = write_comparison({"rows": rows, "settings": {}}, tmp_path / "new" / "compare_x")
    names = ["json", "md", "png"]
    assert [path.name for path in paths[:3]] == [f"compare_x.{suffix}" for suffix in names]
    timeless = [{key: row[key] for key in row if key != TIME} for row in rows]
    assert json.loads(paths[0].read_text())["rows"] == timeless
    assert all(title in paths[1].read_text() for title in FIGURES)
    plots = paths[2:]
    assert [p.stem for p in plots] == ["compare_x", "compare_x_reliability", "compare_x_rejection"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in plots)


def test_no_rejection_is_drawn_without_distractors(rows, tmp_path):
    even = [row | {"distractor_classes": 0} for row in rows]
    paths = write_comparison({"rows": even}, tmp_path / "compare_x")
    assert not [path for path in paths if "rejection" in path.name]


def config_of(**settings):
    return CompareConfig(run_folder="r", data_folder="d", model=ModelConfig(), **settings)


def test_cells_are_all_kinds():
    cells = config_of().cells
    assert len(cells) == len(set(cells)) == 18
    assert {cell.unlabeled_per_class for cell in cells} == {50}


def test_stages_of_methods():
    config = config_of(unlabeled_per_class=20)
    assert config.stages_of("lst").num_stages == 6
    assert config.stages_of("lst").unlabeled_per_stage == 20
    stages = config.stages_of("ilpc+is_balanced=false+neighbours=3")
    assert (stages.method, stages.num_stages) == ("ilpc", 1)
    assert stages.method_settings == ("is_balanced=false", "neighbours=3")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ("lts",)}, "method to be one of lst"),
        ({"methods": ("lst", "lst")}, "methods of one or more, each once"),
        ({"shots": ()}, "shots of one or more"),
        ({"split": "train"}, "split"),
    ],
)
def test_what_cannot_be_compared(settings, message):
    with pytest.raises(InputError, match=message):
        config_of(**settings)
