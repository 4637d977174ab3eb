"""A step of meta-training whose losses or gradients are not finite: kept, and replayed."""

import dataclasses
import json
import math
import pathlib
import re
import traceback
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from lst_tf2.config import AdaptationConfig, MetaTrainConfig, ModelConfig, OptimizerConfig
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.errors import InputError, check
from lst_tf2.models.learner import Learner
from lst_tf2.runs.checkpoints import RECORD_PREFIX, assign, read_checkpoint
from lst_tf2.storage.arrays import write_arrays
from lst_tf2.structures import Episode, Examples
from lst_tf2.training.meta_step import MetaTrainer

EPISODE_PREFIX = "episode/"
CONFIG = "config"


def keep_failed_step(
    folder: pathlib.Path,
    config: MetaTrainConfig,
    trainer: MetaTrainer,
    lists: EpisodeLists,
    step: int,
    members: Mapping[int, Episode],
) -> InputError:
    """Writes the state before a step that failed, with the episode that made it fail.

    Args:
        folder: The run's; gets `failed_step_<n>.npz`.
        config: The run's.
        trainer: With the weights of before the step.
        lists: Where the episodes come from.
        step: Counted from 0.
        members: The episodes of its meta-batch that are at hand, by their index in the lists.

    Returns:
        What to raise; says which episode it was.
    """
    index, figures = _find_culprit(trainer, members)
    path = folder / f"failed_step_{step + 1}.npz"
    classes = [lists.catalogue.classes[c].name for c in lists.classes[index]]
    told = json.dumps({"settings": dataclasses.asdict(config), "classes": classes})
    arrays = {name: variable.numpy() for name, variable in trainer.named_variables().items()}
    arrays |= {f"{EPISODE_PREFIX}{name}": a for name, a in _flatten(members[index]).items()}
    record = {"step": step + 1, "index": index, CONFIG: told}
    arrays |= {f"{RECORD_PREFIX}{name}": np.array(value) for name, value in record.items()}
    write_arrays(path, arrays)
    return InputError(
        f"Expected finite losses and gradients, received {figures} at step {step + 1} in episode "
        f"{index} of the train list ({', '.join(classes)}); nothing of this step was kept. Lower "
        f"the learning rates, or find where it begins: replay {path}."
    ).about("debug_episode", "inner_lr", "initial_lr")


def _find_culprit(trainer: MetaTrainer, members: Mapping[int, Episode]) -> tuple[int, str]:
    """Returns the first episode that is not finite, and what of it is not."""
    for index, episode in members.items():
        figures = _figures(trainer, episode)
        bad = [f"{name}={value}" for name, value in figures.items() if not math.isfinite(value)]
        if bad:
            return index, ", ".join(bad)
    # None by itself, as with episodes of other workers.
    return next(iter(members)), "others"


def _figures(trainer: MetaTrainer, episode: Episode) -> dict[str, float]:
    """Returns what an episode by itself reports, and the norms of its gradients."""
    scalars, meta_gradients, swn_gradients = trainer.episode_gradients(episode)
    scalars["meta_gradient_norm"] = tf.linalg.global_norm(meta_gradients)
    scalars["swn_gradient_norm"] = tf.linalg.global_norm(swn_gradients)
    return {name: float(value) for name, value in scalars.items()}


def _flatten(episode: Episode) -> dict[str, np.ndarray]:
    return {
        f"{part}/{field}": np.asarray(getattr(examples, field))
        for part, examples in episode._asdict().items()
        for field in Examples._fields
    }


def replay(path: pathlib.Path) -> str:
    """Computes an episode that failed once more, and tells where its first bad value arises.

    Args:
        path: What `keep_failed_step` wrote.

    Raises:
        InputError: If it is missing, damaged or something else.
    """
    arrays, record = read_checkpoint(path)
    trainer, classes = _restore(path, arrays, record)
    parts = (
        Examples(*(arrays.get(f"{EPISODE_PREFIX}{part}/{f}") for f in Examples._fields))
        for part in Episode._fields
    )
    episode = tf.nest.map_structure(tf.constant, Episode(*parts))
    lines = [f"Episode {record['index']} of step {record['step']}: {', '.join(classes)}"]
    lines += [f"  {name} = {value:.6g}" for name, value in _figures(trainer, episode).items()]
    return "\n".join([*lines, _find_first(trainer, episode)])


def _restore(path: pathlib.Path, arrays: dict, record: dict) -> tuple[MetaTrainer, list[str]]:
    """Returns the trainer as it was before the step, and the classes of the episode."""
    expected = f"a step that failed, as training writes one, in {path}"
    remedy = "name a file failed_step_<n>.npz"
    check({"step", "index", CONFIG} <= record.keys(), expected, "another checkpoint", remedy)
    try:
        told = json.loads(record[CONFIG])
        settings, classes = told["settings"], told["classes"]
        adaptation = settings["adaptation"] | {
            "method_settings": tuple(settings["adaptation"]["method_settings"])
        }
        parts = (
            AdaptationConfig(**adaptation),
            OptimizerConfig(**settings["optimizer"]),
            OptimizerConfig(**settings["swn_optimizer"]),
        )
        model = ModelConfig.from_plain(settings["model"])
        learner = Learner(model, settings["train_list"]["episode"]["way"])
    except (KeyError, TypeError, ValueError) as error:
        check(False, expected, f"settings of another version ({error!r})", remedy)
    trainer = MetaTrainer(learner, *parts)
    assign(path, arrays, trainer.named_variables())
    return trainer, classes


def _find_first(trainer: MetaTrainer, episode: Episode) -> str:
    """Returns where the first value arises that is not finite, op by op."""
    tf.debugging.enable_check_numerics()
    try:
        _figures(trainer, episode)
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r'output \d+ of .*? op "\w+"', error.message)
        what = found[0] if found else "an op"
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "lst_tf2" in f.filename and f.name != _find_first.__name__]
        place = ours[-1]
        return (
            f"The first value that is not finite: {what}\n"
            f"  {place.filename}, line {place.lineno}, in {place.name}: {place.line}"
        )
    finally:
        tf.debugging.disable_check_numerics()
    return "Computed op by op on this machine, all of its values are finite."
