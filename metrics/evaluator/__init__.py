"""Learned evaluators that are trained here: networks, losses and the parts that carry knowledge between them.

Every recipe is one formulation. A network maps views of images to a trace of named tensors; a distiller compares
the trace of a teacher with that of a student; a loss compares a trace with labels. The loop around them is
``bench.training``, which reaches this package through ``build`` alone.

Files named ``*_net`` define torch modules and are imported when a network is built, not before.
"""
