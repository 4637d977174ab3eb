"""Headings of the flags, in the order of the help."""

DATA = "What to train and test on"
EPISODE = "The episode"
METHOD = "The method"
OPTIMIZATION = "Optimization"
PRETRAINING = "Pre-training"
RUNNING = "Running"
