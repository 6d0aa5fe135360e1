"""The arena: generators against each other, as people, every metric and a panel of metrics see them.

Made from finished runs alone. What stands here is the shape of its document; ``arena.build`` makes one.
"""

from .document import KIND, SCHEMA, Arena, Contestant, Pair, Prediction, Referee, Standing, Verdict, View

__all__ = ["KIND", "SCHEMA", "Arena", "Contestant", "Pair", "Prediction", "Referee", "Standing", "Verdict", "View"]
