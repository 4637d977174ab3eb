"""Adaptation inside an episode: pure functions over named tuples of tensors."""
