import pytest

from lst_tf2.cli import prepare
from lst_tf2.cli.main import run_lst
from tests.builders import write_source


@pytest.fixture(name="run")
def fixture_run():
    return lambda *arguments: run_lst(["prepare", *arguments])


def test_command_prints_counts_and_the_next_command(tmp_path, monkeypatch, run, capsys):
    monkeypatch.chdir(tmp_path)
    write_source(tmp_path / "mine")
    (tmp_path / "mine" / "class0" / "bad.png").touch()
    run("folder", "--source=mine", "--out=data/own", "--img_size=16", "--split=0.6,0.2,0.2")
    printed = capsys.readouterr()
    assert "Skipped 1 files:\n  'class0/bad.png': neither a JPEG nor a PNG file" in printed.out
    assert "train: 3 classes, 6 labeled, 6 unlabeled images\n" in printed.out
    assert printed.out.splitlines()[-1] == (
        "Next: lst pretrain --dataset=own --img_size=16 --pretrain_class_num=3 "
        "--filters=16,32,64,128 --pretrain_iterations=300"
    )
    assert "images 21/21" in printed.err


def test_command_verifies_what_it_wrote(tmp_path, monkeypatch, run, capsys):
    monkeypatch.chdir(tmp_path)
    write_source(tmp_path / "mine")
    run("folder", "--source=mine", "--img_size=16")
    run("folder", "--verify")
    expected = "All 5 classes in data/folder are as prepared.json records them.\n"
    assert capsys.readouterr().out.endswith(expected)
    next((tmp_path / "data" / "folder" / "labeled_train").glob("*/*")).unlink()
    with pytest.raises(SystemExit):
        run("folder", "--verify")
    assert "received 1 of 5 classes that differ" in capsys.readouterr().err


def test_help_names_every_kind_and_form():
    text = " ".join(prepare.__doc__.split())
    for kind in prepare.KINDS:
        assert kind in text
    for words in ("cifar-100-python.tar.gz", "mini-imagenet-cache-", "_images_png.pkl", ".csv"):
        assert words in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder"], "Expected a source to read, found none; name a folder"),
        (["folder", "--split=a,b,c"], "Expected numbers for --split, received a,b,c; pass"),
        (["cifar_fs", "--img_size=84"], "Expected no --img_size, received one"),
        (["miniImagenet", "--split=0.6,0.2,0.2"], "Expected no --split, received one; the split"),
        (["tieredImagenet"], "Expected a source to read, found none; name a folder"),
        (["fc100", "--source=nowhere"], "Expected a source to read, found nothing at nowhere"),
    ],
)
def test_command_refuses_in_one_line(run, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_info:
        run(*arguments)
    assert exit_info.value.code == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message}")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["mnist"], ["folder", "cifar_fs"]])
def test_command_needs_one_known_kind(run, arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run(*arguments)
    assert exit_info.value.code == 1
    error = capsys.readouterr().err
    assert "Expected one of miniImagenet, tieredImagenet, cifar_fs, fc100, folder" in error
