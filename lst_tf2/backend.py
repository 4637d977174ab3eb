"""What is asked of the backend: that Keras runs on TensorFlow, and that its memory suffices."""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator

from lst_tf2.errors import InputError

# Where Linux tells what processors can do, and what of it is about bfloat16.
CPU_INFO = pathlib.Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# Compute capability of Ampere.
FIRST_BFLOAT16_GPU = (8, 0)


def configured_backend() -> str:
    """Returns the backend that Keras uses, or would use when it is imported.

    Keras 3 takes it from `KERAS_BACKEND`, else from `keras.json`; Keras 2 knows no other
    than TensorFlow. Asked before the import, because importing Keras with a backend that
    is not installed fails with a message about that backend, not about the setting.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    if backend := os.environ.get("KERAS_BACKEND"):
        return backend
    home = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
    try:
        return json.loads((home / "keras.json").read_text()).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return "tensorflow"  # No settings, or ones that Keras itself will reject.


def require_tensorflow_backend() -> None:
    """Raises `InputError` when Keras is set to a backend other than TensorFlow."""
    backend = configured_backend()
    if backend != "tensorflow":
        raise InputError(
            f"Expected Keras to run on the TensorFlow backend, received {backend!r}; "
            "unset KERAS_BACKEND or set it to `tensorflow` (or fix `backend` in keras.json)."
        )


def has_fast_bfloat16() -> bool:
    """Returns whether what TensorFlow computes on multiplies bfloat16 faster than float32."""
    import tensorflow as tf  # Asked for by models alone; commands answer `--help` without it.

    if gpus := tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get("compute_capability", (0, 0)) >= FIRST_BFLOAT16_GPU
    try:
        flags = set(CPU_INFO.read_text().split())
    except OSError:
        return False
    return bool(flags & BFLOAT16_FLAGS)


@contextlib.contextmanager
def explain_exhausted_memory(remedy: str) -> Iterator[None]:
    """Turns the failure of a device to hold a step into an `InputError` with the `remedy`."""
    try:
        yield
    except Exception as error:
        # TensorFlow's class by its name: at this point it may not have been imported.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"Expected memory for what this command computes, received: {reason or 'none left'}; "
            f"{remedy}."
        ) from error
