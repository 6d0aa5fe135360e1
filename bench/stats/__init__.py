"""Statistics of the suite: agreement with people, intervals, comparisons, ranks and votes.

The headline is the agreement *within* references (``within``) with an interval over references
(``within_estimate``); metrics are told apart by one simultaneous test (``max_t``) from which tiers and rank
intervals follow (``tiers``). Give every metric "higher = better" before it enters here; nothing takes an
absolute value. All randomness comes from named streams (``stream.generator``).

NumPy and SciPy only; nothing here knows files, metrics or reports. The classical tests in ``dependent``
assume independent images and stay in their own namespace.
"""

from . import dependent
from .adjust import benjamini_hochberg, benjamini_yekutieli, bonferroni, holm
from .agreement import (
    Within,
    centred,
    krocc,
    outlier_ratio,
    partial,
    plcc,
    residual,
    rmse,
    rmse_star,
    shares,
    srocc,
    within,
)
from .ceiling import (
    SplitHalf,
    bradley_terry_ceiling,
    elo_ceiling,
    elo_spread,
    elo_votes,
    error_ceiling,
    rater_band,
    spearman_brown,
    split_half,
)
from .compare import Differences, MaxT, Paired, jackknife_differences, max_t, paired, sign_flip
from .control import leave_one_out_means
from .interval import (
    bca,
    bootstrap_t,
    fisher_z,
    jackknife_t,
    leave_one_out,
    percentile,
    pooled_estimate,
    wilson,
    within_estimate,
)
from .mapping import Mapping, cross_validated, fit, fitted_plcc
from .pairwise import (
    BradleyTerry,
    Thurstone,
    TieModel,
    bradley_terry,
    davidson,
    rao_kupper,
    thurstone,
    win_matrix,
)
from .pigeonhole import pigeonhole, two_way_estimate
from .rank import Friedman, Nemenyi, Tiers, friedman, nemenyi, tiers
from .stream import generator

__all__ = [
    "BradleyTerry",
    "Differences",
    "Friedman",
    "Mapping",
    "MaxT",
    "Nemenyi",
    "Paired",
    "SplitHalf",
    "Thurstone",
    "TieModel",
    "Tiers",
    "Within",
    "bca",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni",
    "bootstrap_t",
    "bradley_terry",
    "bradley_terry_ceiling",
    "centred",
    "cross_validated",
    "davidson",
    "dependent",
    "elo_ceiling",
    "elo_spread",
    "elo_votes",
    "error_ceiling",
    "fisher_z",
    "fit",
    "fitted_plcc",
    "friedman",
    "generator",
    "holm",
    "jackknife_differences",
    "jackknife_t",
    "krocc",
    "leave_one_out",
    "leave_one_out_means",
    "max_t",
    "nemenyi",
    "outlier_ratio",
    "paired",
    "partial",
    "percentile",
    "pigeonhole",
    "plcc",
    "pooled_estimate",
    "rao_kupper",
    "rater_band",
    "residual",
    "rmse",
    "rmse_star",
    "shares",
    "sign_flip",
    "spearman_brown",
    "split_half",
    "srocc",
    "thurstone",
    "tiers",
    "two_way_estimate",
    "wilson",
    "win_matrix",
    "within",
    "within_estimate",
]
