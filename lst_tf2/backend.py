"""What is asked of the backend: that Keras runs on TensorFlow, and that its memory suffices."""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator

from lst_tf2.errors import InputError


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
            "unset KERAS_BACKEND or set it to `tensorflow` (or mend `backend` in keras.json)."
        )


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
