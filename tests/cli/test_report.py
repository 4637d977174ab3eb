from lst_tf2.cli.main import run_lst
from lst_tf2.evaluation.results import write_results
from tests.evaluation.test_report import fixture_summary  # noqa: F401 - a fixture


def test_report_joins_all_results_of_a_run(summary, tmp_path, capsys):
    write_results(summary, {}, tmp_path)
    write_results(summary | {"num_distractor_classes": 3}, {}, tmp_path)
    run_lst(["report", str(tmp_path)])
    assert (tmp_path / "stages.png").exists()
    header = capsys.readouterr().out.splitlines()[0]
    assert header.index("no distractors") < header.index("3 distractor classes")
