"""Keras models. Importing them checks first that Keras runs on TensorFlow."""

from lst_tf2.backend import require_tensorflow_backend

require_tensorflow_backend()
