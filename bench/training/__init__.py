"""Training of the learned evaluators: recipes, data, splits, the trainer, honest evaluation, export.

The networks, losses and distillers live in ``metrics/evaluator`` and are reached by name alone (``seam``). Everything
that needs torch is imported inside functions.
"""
