"""From a leaderboard document to what people read: one HTML page, tables and figures.

The only entry point is ``page.render``; nothing here computes a statistic that the document does not hold,
and nothing here loads torch.
"""
