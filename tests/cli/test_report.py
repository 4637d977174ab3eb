import pytest

from lst_tf2.cli.main import run_lst
from lst_tf2.evaluation.compare_report import write_comparison
from lst_tf2.evaluation.results import write_results
from tests.browser import DARK, LIGHT, needs_browser, violations


@pytest.mark.slow
def test_report_joins_all_results_of_a_run(summary, tmp_path, capsys):
    write_results(summary, {}, tmp_path)
    write_results(summary | {"num_distractor_classes": 3}, {}, tmp_path)
    run_lst(["report", str(tmp_path)])
    assert (tmp_path / "stages.png").exists()
    header = capsys.readouterr().out.splitlines()[0]
    assert header.index("no distractors") < header.index("3 distractor classes")
    page = (tmp_path / "report.html").read_text()
    for text in ("3 distractor classes", "What the paper reports", "70.1 ± 1.9", "Settings of"):
        assert text in page


@pytest.fixture(name="comparison")
def fixture_comparison(rows, tmp_path):
    return write_comparison({"rows": rows, "settings": {"seed": 0}}, tmp_path / "compare_x")[0]


def test_report_of_a_comparison(comparison, capsys):
    run_lst(["report", str(comparison)])
    page = comparison.with_suffix(".html")
    assert f"Page: {page}" in capsys.readouterr().out
    for text in ("Comparison of methods: compare_x", "76.7 ± 14.1 *", "Rejected distractors over"):
        assert text in page.read_text()


def test_what_is_no_comparison_is_told(comparison, capsys):
    for content, message in (("[]", "Expected JSON"), ('{"rows": [], "settings": {}}', "rows in")):
        comparison.write_text(content)
        with pytest.raises(SystemExit):
            run_lst(["report", str(comparison)])
        assert message in capsys.readouterr().err


@pytest.mark.slow
@needs_browser
def test_pages_are_accessible(summary, comparison, tmp_path):
    write_results(summary, {}, tmp_path)
    run_lst(["report", str(tmp_path)])
    run_lst(["report", str(comparison)])
    for page in (tmp_path / "report.html", comparison.with_suffix(".html")):
        for scheme in (LIGHT, DARK):
            assert violations(page, tmp_path, scheme) == []
