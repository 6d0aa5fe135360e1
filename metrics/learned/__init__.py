"""Metrics that are neural networks; evaluators trained by this project are to live here, none does yet."""
