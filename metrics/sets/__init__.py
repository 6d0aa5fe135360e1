"""Distances between two sets of images, taken on the features of a frozen network."""
