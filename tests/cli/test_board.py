"""What TensorBoard gets to read of a test.

Also of `evaluation/board_images.py`.
"""

import io
import json

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from tests.cli.small_run import TEST
from tests.command_line import run

pytestmark = pytest.mark.slow


@pytest.fixture(name="board", scope="module", params=["batch", "calibrated"])
def fixture_board(request, tmp_path_factory):
    """The folder of a test's logs, and the test's results."""
    home = request.getfixturevalue("home")
    flags = [
        "--protocol=standard",
        "--use_distractors",
        "--num_dis=1",
        f"--bn_stats={request.param}",
    ]
    result = run("lst", "test", *TEST, "--test_iter=2", *flags, cwd=home)
    assert result.returncode == 0, result.stderr
    stem = next(word for word in result.stdout.split() if word.startswith("checkpoints")).strip(",")
    path = home / stem
    return path.parent / "logs" / path.stem, path


def read(folder):
    accumulator = EventAccumulator(str(folder), {"tensors": 0})
    return accumulator.Reload()


def test_accuracies_and_settings(board):
    folder, path = board
    events = read(folder)
    (accuracy,) = events.Tensors("test/last_step")
    summary = json.loads(path.read_text())
    assert tensor_util.make_ndarray(accuracy.tensor_proto) == pytest.approx(
        summary["last_step"]["mean"]
    )
    assert accuracy.step == 2
    found = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    started = plugin_data_pb2.HParamsPluginData.FromString(found).session_start_info
    assert started.hparams["method"].string_value == "lst"
    assert started.hparams["exp_name"].string_value == "small"
    assert started.hparams["num_dis"].number_value == 1
    assert started.hparams["filters"].string_value == "4,8"


def test_the_same_test_again_replaces_what_it_wrote(board, home):
    folder, path = board
    settings = json.loads(path.read_text())["settings"]
    again = ["--protocol=standard", "--use_distractors", "--num_dis=1", "--test_iter=2"]
    again.append(f"--bn_stats={settings['bn_stats']}")
    (before,) = folder.glob("events.out.*")
    assert run("lst", "test", *TEST, *again, cwd=home).returncode == 0
    (after,) = folder.glob("events.out.*")
    assert after != before


def test_precision_and_recall(board):
    (event,) = read(board[0]).Tensors("test/selection/pr_curves")
    values = tensor_util.make_ndarray(event.tensor_proto)
    true_positives, false_positives, _, false_negatives, precision, recall = values
    # 2 episodes of 3 classes and one of distractors, 2 images each: 0 or surer are all.
    assert true_positives[0] + false_positives[0] == 2 * 4 * 2
    assert false_negatives[0] == 0
    assert recall[0] == 1
    assert precision[0] == pytest.approx(true_positives[0] / (2 * 4 * 2))


def test_pseudo_labels_are_pictures_of_each_stage(board):
    events = read(board[0]).Tensors("episode/pseudo_labels")
    assert [event.step for event in events] == [1, 2]
    width, height, png = events[0].tensor_proto.string_val
    image = np.asarray(Image.open(io.BytesIO(png)))
    assert image.shape[:2] == (int(height), int(width))
    assert (image == [0, 0, 0]).all(axis=-1).sum() > 3 * 56  # Frames of three labeled images.


def test_the_projector_finds_its_files(board):
    folder, _ = board
    config = projector.ProjectorConfig()
    text_format.Parse((folder / "projector_config.pbtxt").read_text(), config)
    (shown,) = config.embeddings
    points = np.loadtxt(folder / shown.tensor_path, delimiter="\t")
    header, *rows = (folder / shown.metadata_path).read_text().splitlines()
    assert header.split("\t") == ["set", "class", "pseudo-label", "confidence"]
    assert points.shape == (len(rows), 8)
    sets = [row.split("\t")[0] for row in rows]
    assert [sets.count(name) for name in ("support", "unlabeled")] == [3, 8]
    assert sum(row.split("\t")[:2] == ["unlabeled", "none"] for row in rows) == 2
    side = shown.sprite.single_image_dim[0]
    with Image.open(folder / shown.sprite.image_path) as image:
        assert image.width == image.height == side * int(np.ceil(np.sqrt(len(rows))))
