"""The harness: data in, scores, statistics, leaderboard out. It knows no metric, generator or page by name."""
