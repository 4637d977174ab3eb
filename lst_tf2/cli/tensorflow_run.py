"""What the commands that need TensorFlow do before and around their work."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator

from absl import flags, logging

from lst_tf2.backend import explain_exhausted_memory, require_tensorflow_backend
from lst_tf2.config import ModelConfig
from lst_tf2.runs.run_folder import read_model


@contextlib.contextmanager
def tensorflow_run(values: flags.FlagValues, memory_remedy: str) -> Iterator[None]:
    """Chooses the device, and explains exhausted memory.

    Args:
        values: Those of the flags.
        memory_remedy: What to do when the body needs more memory than the device has.
    """
    # TensorFlow's own start-up notes would drown ours; its warnings remain. So do, without a GPU,
    # those on CUDA (cudart_stub.cc, cuda_platform.cc) of TensorFlow 2.21: they are written before
    # its logging reads a level.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.WARNING)
    if "device_id" in values and values["device_id"].present:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(values.device_id)
    require_tensorflow_backend()
    if os.getcwd() not in sys.path:  # Methods may lie where the command is given.
        sys.path.append(os.getcwd())
    with explain_exhausted_memory(memory_remedy):
        yield


def require_weights(target: str, sources: Iterable[pathlib.Path]) -> None:
    """Notices before TensorFlow loads that there is nothing to start from.

    Args:
        target: The checkpoint to start from.
        sources: Where weights of the original program may lie instead.

    Raises:
        MissingInputError: If there is no run of ours, nor any of these.
    """
    if not any(source.exists() for source in sources):
        read_model(pathlib.Path(target).parent)


def take_memory_as_needed() -> None:
    """Keeps TensorFlow from reserving the whole memory of every GPU."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def convert_originals(target: str, sources: Iterable[pathlib.Path], model: ModelConfig) -> None:
    """Converts weights of the original program at one of `sources`, where `target` is missing."""
    from lst_tf2.tf1.convert_on_demand import convert_on_demand

    if source := convert_on_demand(pathlib.Path(target), sources, model):
        print(f"Converted the original's {source} into {pathlib.Path(target).parent}")
