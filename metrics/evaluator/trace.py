"""What a network says about a batch: named tensors, so that distillers need to know names and no networks.

=====================  ===========================================================================
``score``              (B,) in the scale of the labels
``score.std``          (B,) deviation over the patches of an image, where each is scored by itself
``score.members``      (B,M) scores of the members of an ensemble, whose mean is ``score``
``dist``               (B,K) probabilities of K equal bins of [0,1]
``bb.l1`` ...          (N,C,H,W) maps of the backbone for the image under test, shallow to deep
``tok.d``, ``tok.r``   (N,T,D) tokens of the difference and of the reference, T a square number
``enc``, ``dec``       (N,T+1,D) tokens after encoder and decoder, the quality token first
``mix.d.{level}.{k}``  (B,T,D) output of block k, counted from 1, of a mixer on differences
``sem``                (N,E) what the semantic branch says
``emb.aux``            (N,C,H,W) embedding of the auxiliary image
``pair``               (B,2) chance that the image is better than the one so many places before it, and how
                       many (0: there is none)
=====================  ===========================================================================

N is B times the patches of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Trace = dict[str, "Tensor"]


def grid(trace: Trace, name: str) -> Tensor:
    """A tensor of the trace as maps (N,D,h,w); a leading quality token is left out.

    Raises:
        KeyError: the network does not say it.
        ValueError: the tokens do not form a square.
    """
    value = named(trace, name)
    if value.ndim == 4:
        return value
    count = value.shape[1]
    side = int(count**0.5)
    if side * side == count - 1:  # no two squares above 0 are neighbours
        value = value[:, 1:]
    elif side * side != count:
        raise ValueError(f"{name} has {count} tokens, which form no square grid")
    return value.transpose(1, 2).reshape(len(value), -1, side, side)


def named(trace: Trace, name: str) -> Tensor:
    """A tensor of the trace.

    Raises:
        KeyError: the network does not say it; names those it does.
    """
    try:
        return trace[name]
    except KeyError:
        said = ", ".join(key for key in trace if key.count(".") < 2)
        raise KeyError(f"the trace has no {name!r}; it has {said}") from None


def by_depth(teacher: Any, student: Any) -> list[tuple[str, str]]:
    """Maps of the backbones, each of the student's with the teacher's of the same relative depth.

    Raises:
        ValueError: a network has none.
    """
    theirs, ours = ([n for n in network.widths if n.startswith("bb.")] for network in (teacher, student))
    if not theirs or not ours:
        lacking = teacher if not theirs else student
        raise ValueError(f"{type(lacking).__name__} shows no maps of its backbone; compare something else")
    step = (len(theirs) - 1) / max(len(ours) - 1, 1)
    return [(theirs[round(index * step)], name) for index, name in enumerate(ours)]


def width(network: Any, name: str) -> int:
    """Channels of what a network calls ``name``.

    Raises:
        ValueError: it says no such thing.
    """
    try:
        return network.widths[name]
    except KeyError:
        known = ", ".join(network.widths)
        raise ValueError(f"{type(network).__name__} has no {name!r} to compare; it has {known}") from None
