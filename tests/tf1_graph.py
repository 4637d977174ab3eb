"""Writes the original's files, as its graph and its `Saver` would; a small learner for them."""

import numpy as np
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.tf1 import weight_files, weight_import
from tests.golden import py2npy

SMALL = ModelConfig(filters=(4, 8), image_size=8)


def write_npy_files(folder, groups, step=7):
    """Writes `<group>_<step>.npy`, pickled as Python 2 does."""
    folder.mkdir(parents=True, exist_ok=True)
    for group, arrays in groups.items():
        py2npy.save_py2(folder / f"{group}_{step}.npy", arrays)
    return folder


def write_saver_files(folder, groups, step=7, *, offset=0.0):
    """Writes `model.ckpt-<step>.*` of the variables that the original's graph makes.

    In its order: scales and shifts, backbone, classifier, soft weighting network, and
    beside them batch norm's and Adam's variables.
    """
    v1 = tf.compat.v1
    folder.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("meta-model"):
            for group in ("ss_weights", "weights", "fc_weights", "swn_weights"):
                for name, value in groups.get(group, {}).items():
                    _make_variable(group, name, value)
            v1.get_variable("block10/beta", initializer=np.full(4, offset, np.float32))
            v1.get_variable("block10/moving_mean", initializer=np.ones(4, np.float32))
        learned = [v for v in v1.global_variables() if "conv1" in v.name]
        loss = tf.add_n([tf.reduce_sum(v**2) for v in learned])
        v1.train.AdamOptimizer(1e-3).minimize(loss, var_list=learned)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model.ckpt"), global_step=step)
        return [v.op.name for v in v1.global_variables()]


def _make_variable(group, name, value):
    v1 = tf.compat.v1
    full_name = f"fc_{name}" if group == "fc_weights" else name
    if group != "ss_weights" and ("conv" in name or "w" in name):
        v1.get_variable(full_name, initializer=value, use_resource=False)
    else:
        v1.Variable(value, name=full_name, use_resource=False)


def small_groups():
    """The arrays of a small learner in the original's names."""
    rng = np.random.default_rng(0)
    sketch = {"weights": {"b5": np.zeros(6)}, "ss_weights": {}, "fc_weights": {"b5": np.zeros(3)}}
    expected = weight_import.expected_variables(sketch | {"swn_weights": {}}, SMALL)
    return {
        group: {
            name: rng.normal(size=shape).astype(np.float32) for name, (shape, _) in names.items()
        }
        for group, names in expected.items()
    }


def convert(source, target, settings=SMALL):
    """Converts all steps that a folder holds."""
    for step, files in weight_files.find_steps(source).items():
        weight_import.write_checkpoint(weight_import.read_step(files, step, settings), target)
