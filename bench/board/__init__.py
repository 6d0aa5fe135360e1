"""From scores to the leaderboard document: columns, agreement with people, tiers, generators, controls."""

from .leaderboard import Inputs, build
from .scores import ScoreTable

__all__ = ["Inputs", "ScoreTable", "build"]
