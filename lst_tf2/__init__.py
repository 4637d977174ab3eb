"""Learning to Self-Train for semi-supervised few-shot classification.

An implementation for TensorFlow 2 and Keras of Li et al., NeurIPS 2019, arXiv:1906.00562.
"""

__version__ = "0.1.0"
