"""What a network is shown of a batch of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Views(NamedTuple):
    """B samples with m patches each, side S."""

    x: Tensor | None = None
    """(B,m,3,S,S) in [0,1], the images under test; may be absent where ``features`` is given."""
    aux: Tensor | None = None
    """(B,m,3,S,S) in [0,1], what they are compared with: reference, other content, re-distorted or degraded image."""
    y: Tensor | None = None
    """(B,) labels, higher is better; what stands where ``labelled`` is false is not read."""
    y_std: Tensor | None = None
    labelled: Tensor | None = None
    """(B,) bool; absent: every finite label counts."""
    ids: Sequence[Mapping[str, str]] | None = None
    """Per sample ``dataset``, ``ref``, ``algo``, ``image``."""
    people: Tensor | None = None
    """(B,) bool, whether the label is people's and not a metric's or a teacher's."""
    features: Sequence[Tensor | list[Tensor]] | None = None
    """Per tap (B,m,C,h,w), what the network's ``extract`` made of x; the backbone is then skipped. For networks that
    see images whole, where they differ in size: B times (m,C,h,w)."""
    aux_features: Sequence[Tensor] | None = None
