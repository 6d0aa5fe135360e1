"""How far a score is from its label: one function per loss, chosen by name.

Each maker returns a function (trace, views) -> (values per sample, mask of the samples it is defined for), or
(scalar, None) where samples are judged in pairs or together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .trace import Trace, named
from .views import Views

if TYPE_CHECKING:
    from torch import Tensor

Loss = Callable[[Trace, Views], "tuple[Tensor, Tensor | None]"]

BETA = 0.1
"""Where SmoothL1 turns from square to absolute, for scores in [0,1]; about .76 for z-scores of Elo."""
ELO = {"minmax": 5.2918, "zscore": 0.69960, "ckdn": 5.7565}
"""ln 10 / 400 times the Elo points per unit of the label: PIPAL's labels by range, by deviation, and in thousands."""


def reg(kind: str = "smoothl1", beta: float = BETA) -> Loss:
    """Distance of score and label: ``l1``, ``mse`` or ``smoothl1``."""
    if kind not in ("l1", "mse", "smoothl1"):
        raise ValueError(f"there is no regression loss {kind!r}; choose l1, mse or smoothl1")

    def loss(trace: Trace, views: Views) -> tuple[Tensor, Tensor]:
        import torch
        import torch.nn.functional as F

        mask = labelled(views)
        score = named(trace, "score")
        label = torch.where(mask, labels(views), 0).to(score)
        if kind == "l1":
            values = (score - label).abs()
        elif kind == "mse":
            values = (score - label) ** 2
        else:
            values = F.smooth_l1_loss(score, label, beta=beta, reduction="none")
        return torch.where(mask, values, 0), mask

    return loss


def plcc() -> Loss:
    """Half of 1 minus the correlation within the batch; 0 where it is undefined."""

    def loss(trace: Trace, views: Views) -> tuple[Tensor, None]:
        mask = labelled(views)
        score = named(trace, "score")[mask]
        label = labels(views)[mask].to(score)
        if len(score) < 2:
            return named(trace, "score").sum() * 0, None
        score, label = score - score.mean(), label - label.mean()
        spread = (score.square().sum() * label.square().sum()).clamp_min(1e-12).sqrt()
        found = (score * label).sum() / spread
        return (1 - found) / 2 * (label.square().sum() > 0), None

    return loss


def rank(within: bool = True) -> Loss:
    """Mean amount by which pairs are in the wrong order; pairs of one reference only, unless ``within`` is false."""

    def loss(trace: Trace, views: Views) -> tuple[Tensor, None]:
        score, label, i, j = _pairs(trace, views, within)
        if not len(i):
            return named(trace, "score").sum() * 0, None
        return ((score[i] - score[j]) * (label[j] - label[i]).sign()).relu().mean(), None

    return loss


def difference(gain: float = 1.0, beta: float = BETA, within: bool = True) -> Loss:
    """SmoothL1 of the difference of two scores from ``gain`` times that of their labels, over pairs of one reference.

    For labels whose zero means nothing to the student, such as a teacher's answers on another scale: what is learnt is
    by how much one image of a content is better than another.
    """

    def loss(trace: Trace, views: Views) -> tuple[Tensor, None]:
        import torch.nn.functional as F

        score, label, i, j = _pairs(trace, views, within)
        if not len(i):
            return named(trace, "score").sum() * 0, None
        return F.smooth_l1_loss(score[i] - score[j], gain * (label[i] - label[j]), beta=beta), None

    return loss


def elo(k: float | str = "minmax", within: bool = True) -> Loss:
    """Fidelity of the predicted to the labelled chance of winning, over pairs of one reference.

    Tsai et al.: FRank: a ranking method with fidelity loss. SIGIR 2007. doi:10.1145/1277741.1277808.

    Args:
        k: by how much a unit of the label moves the logit, or the label scale whose value is known.
        within: labels of different references do not compare in PIPAL; false where they do.

    Raises:
        ValueError: an unknown scale.
    """
    if isinstance(k, str):
        if k not in ELO:
            raise ValueError(f"there is no label scale {k!r}; choose {', '.join(ELO)} or give k as a number")
        k = ELO[k]

    def loss(trace: Trace, views: Views) -> tuple[Tensor, None]:
        score, label, i, j = _pairs(trace, views, within)
        if not len(i):
            return named(trace, "score").sum() * 0, None
        wanted, found = (k * (label[i] - label[j])).sigmoid(), (k * (score[i] - score[j])).sigmoid()
        # The root has no finite slope at 0, and a chance rounds to 0 where scores lie far apart.
        small = 1e-6
        fidelity = (wanted * found).clamp_min(small).sqrt() + ((1 - wanted) * (1 - found)).clamp_min(small).sqrt()
        return (1 - fidelity).mean(), None

    return loss


def pair(unit: float = 1000.0) -> Loss:
    """Half the squared distance of a pair's predicted chance that the second image wins from that by Elo.

    ``unit``: Elo points per unit of the label.
    """

    def loss(trace: Trace, views: Views) -> tuple[Tensor, None]:
        import torch

        if "pair" not in trace:
            return named(trace, "score").sum() * 0, None
        found, back = trace["pair"].unbind(1)
        back = back.long()
        before = torch.arange(len(back), device=back.device) - back
        mask = labelled(views)
        known = (back > 0) & mask & mask[before]
        if not bool(known.any()):
            return found.sum() * 0, None
        label = labels(views).to(found)
        wanted = chance(label[known], label[before[known]], unit)
        return ((found[known] - wanted) ** 2).mean() / 2, None

    return loss


def chance(first: Tensor, second: Tensor, unit: float = 1.0) -> Tensor:
    """Probability that the first wins, by Elo's formula; ratings times ``unit`` are Elo points."""
    return 1 / (1 + 10 ** ((second - first) * unit / 400))


LOSSES: dict[str, Callable[..., Loss]] = {
    "reg": reg,
    "plcc": plcc,
    "rank": rank,
    "difference": difference,
    "elo": elo,
    "pair": pair,
}


def labels(views: Views) -> Tensor:
    """The labels.

    Raises:
        ValueError: these samples have none at all.
    """
    if views.y is None:
        raise ValueError("a loss on labels was asked for, and the samples have none; choose another loss or data set")
    return views.y


def labelled(views: Views) -> Tensor:
    """(B,) which samples have a label."""
    return labels(views).isfinite() if views.labelled is None else views.labelled.bool()


def _pairs(trace: Trace, views: Views, within: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores, labels, and the indices of the pairs i < j that may be compared."""
    import torch

    score = named(trace, "score")
    mask = labelled(views)
    allowed = (mask[:, None] & mask).triu(1)
    if within:
        if views.ids is None:
            raise ValueError("pairs within one reference were asked for, and the samples do not say theirs; give ids")
        numbers: dict[tuple[str, str], int] = {}
        keys = [(entry.get("dataset", ""), entry["ref"]) for entry in views.ids]
        group = torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys], device=score.device)
        allowed = allowed & (group[:, None] == group)
    i, j = allowed.nonzero(as_tuple=True)
    return score, labels(views).to(score), i, j
