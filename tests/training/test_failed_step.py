import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import (
    AdaptationConfig,
    EpisodeConfig,
    ListConfig,
    MetaTrainConfig,
    ModelConfig,
    OptimizerConfig,
)
from lst_tf2.data.feeding_order import arrange_for_training
from lst_tf2.data.images import ImageFiles
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import sample_lists
from lst_tf2.data.pipeline import stream_episodes, stream_meta_batches
from lst_tf2.errors import InputError
from lst_tf2.models.learner import Learner
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.training import failed_step
from lst_tf2.training.meta_step import MetaTrainer
from tests.builders import write_data_set

pytestmark = pytest.mark.slow

EPISODE = EpisodeConfig(3, 1, 2, 3)
MODEL = ModelConfig(filters=(4, 8), image_size=16)


@pytest.fixture(scope="module", name="lists")
def fixture_lists(tmp_path_factory):
    folder = write_data_set(tmp_path_factory.mktemp("letters"))
    return sample_lists(scan_split(folder, "train"), ListConfig(str(folder), "train", EPISODE, 9))


def trainer_with(lists, **adaptation):
    adaptation = AdaptationConfig(**{"retrain_steps": 1, "inner_steps": 3} | adaptation)
    config = MetaTrainConfig("run", "pre", lists.config, model=MODEL, adaptation=adaptation)
    learner = Learner(MODEL, way=3)
    return config, MetaTrainer(learner, adaptation, OptimizerConfig(), OptimizerConfig())


def test_step_that_fails_leaves_everything_as_it_was(lists):
    _, trainer = trainer_with(lists, inner_lr=1e30)
    source = ImageFiles(lists.catalogue, 16)
    before = [v.numpy() for v in trainer.named_variables().values()]
    batch = next(stream_meta_batches(lists, arrange_for_training, range(1), 2, source))
    scalars = trainer.train_step(batch)
    assert not np.isfinite(float(scalars["meta_gradient_norm"]))
    after = [v.numpy() for v in trainer.named_variables().values()]
    for value, expected in zip(after, before, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_culprit_is_named_kept_and_replayed(lists, tmp_path):
    config, trainer = trainer_with(lists)
    source = ImageFiles(lists.catalogue, 16)
    sound, bad = stream_episodes(lists, arrange_for_training, [6, 7], source)
    bad = tf.nest.map_structure(tf.identity, bad)
    images = tf.cast(bad.query.inputs, tf.float32) / 255 * np.float32("nan")
    bad = bad._replace(query=bad.query._replace(inputs=images))
    error = failed_step.keep_failed_step(tmp_path, config, trainer, lists, 3, {6: sound, 7: bad})
    names = ", ".join(lists.catalogue.classes[c].name for c in lists.classes[7])
    assert "finetune_query_loss=nan" in str(error)
    assert f"at step 4 in episode 7 of the train list ({names})" in str(error)
    path = tmp_path / "failed_step_4.npz"
    assert f"replay {path}" in str(error)
    told = failed_step.replay(path)
    assert told.startswith(f"Episode 7 of step 4: {names}\n  retrain_query_loss = nan")
    assert "The first value that is not finite: " in told
    assert ".py, line " in told


def test_replay_refuses_what_is_no_failed_step(lists, tmp_path):
    _, trainer = trainer_with(lists)
    path = CheckpointStore(tmp_path, trainer.named_variables()).save(1)
    with pytest.raises(InputError, match=r"Expected a step that failed.*another checkpoint"):
        failed_step.replay(path)
