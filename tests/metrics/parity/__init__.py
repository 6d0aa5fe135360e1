"""How far every metric is from official values or from an independent implementation, and what is promised.

``table.py`` holds one row per metric and oracle; ``python -m parity docs/parity.md``, or ``make parity``, measures all
of them and writes the document; tests/metrics/test_parity_card.py measures them again and holds the promises.
"""
