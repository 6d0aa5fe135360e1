"""Metrics that are neural networks: those of others by their published weights, and the evaluators that this project
trained and ships (kd_slkd.py, kd_ysgan.py)."""
