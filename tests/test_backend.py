import keras
import pytest

from lst_tf2 import backend
from lst_tf2.errors import InputError


def test_other_backends_are_refused(monkeypatch):
    monkeypatch.setattr(backend, "configured_backend", lambda: "jax")
    with pytest.raises(InputError, match="TensorFlow backend, received 'jax'; unset KERAS_BACKEND"):
        backend.require_tensorflow_backend()


def test_backend_is_read_where_keras_reads_it(monkeypatch, tmp_path):
    assert backend.configured_backend() == keras.backend.backend()
    monkeypatch.delitem(backend.sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert backend.configured_backend() == "torch"
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert backend.configured_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert backend.configured_backend() == "jax"
    (tmp_path / "keras.json").write_text("[")
    assert backend.configured_backend() == "tensorflow"
