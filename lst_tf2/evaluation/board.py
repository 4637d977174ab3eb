"""What TensorBoard shows of a meta-test, below `<run folder>/logs/<name of the results>`.

The pseudo-labels of the first episode as images, a step for each stage; its embeddings for the
projector; precision and recall of the selection over all episodes; and settings with accuracies,
for the comparison of runs.
"""

import io
import pathlib

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.pr_curve import summary as pr_curves

from lst_tf2.adaptation.stages import SelfTraining
from lst_tf2.config import MetaTestConfig
from lst_tf2.data.feeding_order import PROTOCOL_ARRANGEMENTS
from lst_tf2.data.images import ImageFiles
from lst_tf2.data.pipeline import stream_episodes
from lst_tf2.evaluation.board_images import sprite, stage_picture
from lst_tf2.evaluation.episode import (
    RIGHT,
    EpisodeFeatures,
    MethodRun,
    Window,
    embed_episode,
)
from lst_tf2.evaluation.meta_test import MetaTestResults, Tested
from lst_tf2.evaluation.results import result_name
from lst_tf2.settings import flag_values
from lst_tf2.storage.files import write_bytes
from lst_tf2.structures import DISTRACTOR_LABEL, Episode

MOST_PROJECTED, SPRITE_SIDE = 600, 32
TENSOR, METADATA, SPRITE = "embeddings.tsv", "metadata.tsv", "sprite.png"
CONFIG = "projector_config.pbtxt"
FIGURES = ("baseline", "last_step", "best_step", "gain")


def write_board(config: MetaTestConfig, results: MetaTestResults, tested: Tested) -> pathlib.Path:
    """Writes all of it, and returns the folder.

    Args:
        config: Of the test.
        results: What it found.
        tested: What it tested.
    """
    folder = pathlib.Path(config.run_folder, "logs", result_name(results.summary))
    images = ImageFiles(tested.lists.catalogue, config.model.image_size)
    arrange = PROTOCOL_ARRANGEMENTS[config.protocol]
    episode = next(stream_episodes(tested.lists, arrange, [0], images))
    features = embed_episode(tested.embed, episode, tested.windows)
    training = MethodRun(tested.learner, config.self_training).train(features)
    for former in folder.glob("events.out.tfevents.*"):  # Of the same test, done before.
        former.unlink()
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=results.summary["test_step"]):
        write_figures(config, results.summary)
        write_selection(results.curves)
        write_stages(episode, training, tested.windows)
    writer.close()
    write_projector(folder, episode, features, training, tested.windows)
    return folder


def write_figures(config: MetaTestConfig, summary: dict) -> None:
    """Writes accuracies, and the settings that they belong to, named as flags."""
    told = {
        "exp_name": pathlib.PurePath(config.run_folder).name,
        "dataset": pathlib.PurePath(config.test_list.data_folder).name,
        "num_dis": config.test_list.episode.num_distractor_classes,
    }
    hparams.hparams(told | flag_values(config))
    for name in FIGURES:
        tf.summary.scalar(f"test/{name}", summary[name]["mean"])


def write_selection(curves: dict[str, np.ndarray]) -> None:
    """Writes precision and recall of right labels, by the confidence in them."""
    is_right = curves["outcomes"].ravel() == RIGHT
    confidence = np.clip(curves["confidence"].ravel(), 0, 1).astype(np.float32)
    told = "Unlabeled images of all episodes: how many labels are right among the surest."
    found = pr_curves.pb("test/selection", is_right, confidence, description=told)
    step = tf.summary.experimental.get_step()
    tf.summary.experimental.write_raw_pb(found.SerializeToString(), step)


def write_stages(episode: Episode, training: SelfTraining, windows: list[Window]) -> None:
    """Writes what each stage took for examples; the step is the number of the stage."""
    support = (episode.support.inputs.numpy(), episode.support.labels.numpy())
    for number, (stage, probs) in enumerate(zip(training.stages, training.probs, strict=True)):
        window = window_of(episode, windows[number % len(windows)])
        picture = stage_picture(support, window, stage.chosen, probs.numpy())
        tf.summary.image("episode/pseudo_labels", picture[np.newaxis], step=number + 1)


def window_of(episode: Episode, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and true labels of a window: of its unlabeled images, then distractors."""
    parts = ((episode.unlabeled, window.unlabeled), (episode.distractors, window.distractors))
    images, labels = zip(
        *((e.inputs[slice(*r)].numpy(), e.labels[slice(*r)].numpy()) for e, r in parts),
        strict=True,
    )
    return np.concatenate(images), np.concatenate(labels)


def write_projector(
    folder: pathlib.Path,
    episode: Episode,
    features: EpisodeFeatures,
    training: SelfTraining,
    windows: list[Window],
) -> None:
    """Writes the embeddings of support, query and the last window, and their thumbnails."""
    last = (len(training.stages) - 1) % len(windows)
    unlabeled, _ = window_of(episode, windows[last])
    probs = training.probs[-1].numpy()
    sets = [
        ("support", features.support, episode.support.inputs.numpy()),
        ("query", features.query, episode.query.inputs.numpy()),
        ("unlabeled", features.windows[last], unlabeled),
    ]
    rows, points, images = ["set\tclass\tpseudo-label\tconfidence"], [], []
    for name, examples, pictures in sets:
        points.append(examples.inputs.embeddings.numpy())
        images.append(pictures)
        for row, label in enumerate(examples.labels.numpy()):
            known = "none" if label == DISTRACTOR_LABEL else label
            pseudo = "\t"
            if name == "unlabeled":
                pseudo = f"{probs[row].argmax()}\t{probs[row].max():.3f}"
            rows.append(f"{name}\t{known}\t{pseudo}")
    points, images = np.concatenate(points)[:MOST_PROJECTED], np.concatenate(images)
    lines = ("\t".join(f"{value:.5g}" for value in point) for point in points)
    write_bytes(folder / TENSOR, "\n".join(lines).encode())
    write_bytes(folder / METADATA, "\n".join(rows[: 1 + len(points)]).encode())
    buffer = io.BytesIO()
    sprite(images[: len(points)], SPRITE_SIDE).save(buffer, "PNG")
    write_bytes(folder / SPRITE, buffer.getvalue())
    write_bytes(folder / CONFIG, projector_config().encode())


def projector_config() -> str:
    """Returns what tells the projector which files belong together."""
    config = projector.ProjectorConfig()
    shown = config.embeddings.add()
    shown.tensor_name, shown.tensor_path, shown.metadata_path = "episode", TENSOR, METADATA
    shown.sprite.image_path = SPRITE
    shown.sprite.single_image_dim.extend([SPRITE_SIDE, SPRITE_SIDE])
    return str(config)
