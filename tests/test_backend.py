import keras
import pytest
import tensorflow as tf

from lst_tf2 import backend
from lst_tf2.errors import InputError


def test_other_backends_are_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
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


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM on tensor of shape [75,84]\n\nDetails"),
        MemoryError("Unable to allocate OOM on tensor of shape [75,84]"),
    ],
)
def test_exhausted_memory_ends_in_the_flags_that_help(error):
    expected = pytest.raises(InputError, match=r"memory.*\[75,84\]; pass --recompute\.$")
    with expected, backend.explain_exhausted_memory("pass --recompute"):
        raise error


def test_other_failures_of_the_device_stay_bugs():
    expected = pytest.raises(tf.errors.InternalError)
    with expected, backend.explain_exhausted_memory("pass --recompute"):
        raise tf.errors.InternalError(None, None, "something else")


@pytest.mark.parametrize(("flags", "is_fast"), [("fma avx512_bf16", True), ("fma avx2", False)])
def test_bfloat16_is_fast_where_the_processor_says_so(flags, is_fast, monkeypatch, tmp_path):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(backend, "CPU_INFO", path)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    assert not backend.has_fast_bfloat16()  # No such file, as on other systems.
    path.write_text(f"flags\t\t: fpu {flags}\n")
    assert backend.has_fast_bfloat16() == is_fast


@pytest.mark.parametrize(("capability", "is_fast"), [((9, 0), True), ((7, 5), False)])
def test_bfloat16_is_fast_on_newer_gpus(capability, is_fast, monkeypatch):
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: details)
    assert backend.has_fast_bfloat16() == is_fast
