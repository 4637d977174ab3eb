import numpy as np
import tensorflow as tf

from lst_tf2.api import AdaptedStage


def test_label_of_an_image_is_the_likeliest_or_none():
    # What is left of 1 is for none of the classes: 0.1, 0.5, 0.4 and 0.
    probs = tf.constant([[0.2, 0.7], [0.3, 0.2], [0.35, 0.25], [0.5, 0.5]])
    stage = AdaptedStage(None, None, probs)
    np.testing.assert_array_equal(stage.labels, [1, -1, -1, 0])
