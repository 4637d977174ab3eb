import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.api import AdaptedStage, adapt, tuned_stages
from lst_tf2.config import ModelConfig, SelfTrainingConfig
from lst_tf2.errors import InputError
from lst_tf2.models.learner import Learner
from lst_tf2.runs.tuned import write_tuned
from lst_tf2.structures import Episode, Examples


def test_label_of_an_image_is_the_likeliest_or_none():
    # What is left of 1 is for none of the classes: 0.1, 0.5, 0.4 and 0.
    probs = tf.constant([[0.2, 0.7], [0.3, 0.2], [0.35, 0.25], [0.5, 0.5]])
    stage = AdaptedStage(None, None, probs)
    np.testing.assert_array_equal(stage.labels, [1, -1, -1, 0])


def test_tuned_stages_are_those_of_the_run_unless_told_otherwise(tmp_path):
    write_tuned(tmp_path, "graph_lst", {"alpha": 0.6, "neighbours": 20})
    assert tuned_stages(tmp_path) == SelfTrainingConfig()
    stages = tuned_stages(tmp_path, "graph_lst", num_stages=2, method_settings=("alpha=0.9",))
    assert (stages.method, stages.num_stages) == ("graph_lst", 2)
    assert set(stages.method_settings) == {"alpha=0.9", "neighbours=20"}


@pytest.mark.parametrize("labels", [[0, 1, 3], [-1, 0, 1], []])
def test_labels_out_of_range_are_refused(labels):
    learner = Learner(ModelConfig(filters=(4, 8), image_size=8), way=3)
    images = np.zeros((len(labels), 8, 8, 3), np.uint8)
    sets = [Examples(images, np.array(labels, np.int32))] * len(Episode._fields)
    with pytest.raises(InputError, match=r"labels of the support set in 0\.\.2"):
        adapt(learner, Episode(*sets))
