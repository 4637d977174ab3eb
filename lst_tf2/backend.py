"""The check that Keras runs on TensorFlow, made before Keras is imported."""

import json
import os
import pathlib
import sys

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
