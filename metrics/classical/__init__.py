"""Metrics with a formula and no network; most of them need no trained parameters either."""
