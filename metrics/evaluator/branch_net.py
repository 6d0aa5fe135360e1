"""A second, frozen backbone beside the first: its maps join those of the first before anything is compared.

After Lao et al.: Attentions help CNNs see better. CVPR Workshops 2022. arXiv:2204.10485 (AHIQ), where a vision
transformer and a convolutional network look at both images; the middle blocks are those of Yang et al. 2022
(arXiv:2204.08958, MANIQA). Sizes are this project's.

The one there is a use for is ``dinov2s-focus``: a DINOv2-small that was tuned end to end for saliency. It is **not
vanilla DINOv2**; what is published about that network says nothing about this one.

What is learnt is a projection per map. The backbone itself stays outside of what torch knows of this module: it moves
between devices with it, and is in no state, no list of parameters and no training mode. An evaluator's file is thus as
small as without, and names the slot and the sha256 of what it leaves there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from .backbones import backbone
from .parts_net import fit, shrink


class Branch(nn.Module):
    """Images -> maps of a frozen backbone -> as many maps of ``outputs`` channels."""

    def __init__(self, name: str, *, taps: Sequence[int], outputs: int, cap: int, pretrained: bool = True) -> None:
        """
        Args:
            name: of a backbone.
            taps: which of its maps, counted from 1, shallow to deep.
            outputs: channels of each projection.
            cap: side that maps are averaged to before anything is trained on them, cached or not.
            pretrained: with the weights of the slot; else with seeded random ones, for trials of the machinery.

        Raises:
            ValueError: no such backbone, or no such maps.
            MissingWeights: its slot is empty.
        """
        super().__init__()
        self.source = backbone(name)
        count = len(self.source.channels)
        if not taps or list(taps) != sorted({*taps} & {*range(1, count + 1)}):
            raise ValueError(
                f"the branch {name} has the maps 1 to {count}, shallow to deep, and branch_taps asks for "
                f"{list(taps)}; name some of them, each once and in this order"
            )
        self.taps, self.cap, self.pretrained = tuple(taps), cap, pretrained
        module = self.source.build(pretrained=pretrained)
        self.source.end(module, taps[-1])
        self.held = (module.eval().requires_grad_(False),)
        self.project = nn.ModuleList(Projection(self.source.channels[tap - 1], outputs) for tap in taps)

    @property
    def digest(self) -> str:
        """Of the backbone's weights."""
        from ...bench.weights import digest_of

        return digest_of(self.source.slot) if self.pretrained else "random"

    @property
    def identity(self) -> str:
        """Of everything ``extract`` depends on but the images and the cap."""
        return f"{self.source.name}:{self.digest}:{','.join(map(str, self.taps))}"

    @property
    def held_parameters(self) -> int:
        """Numbers of the backbone, which ``parameters`` does not list."""
        return sum(value.numel() for value in self.held[0].parameters())

    def extract(self, images: Tensor) -> list[Tensor]:
        """(N,3,S,S) in [0,1] -> the chosen maps (N,C,h,w), neither side above the cap."""
        maps = self.source(self.held[0], images)
        return [shrink(maps[tap - 1], self.cap) for tap in self.taps]

    def forward(self, maps: Sequence[Tensor], side: int) -> list[Tensor]:
        """What ``extract`` made -> (N,outputs,side,side) of each."""
        return [fit(layer(value), side) for layer, value in zip(self.project, maps, strict=True)]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """What torch moves and converts parameters with."""
        self.held[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)


class Projection(nn.Module):
    """(N,C,h,w) -> (N,D,h,w): every token brought to mean 0 and deviation 1 by itself, then one linear layer.

    Not batch normalisation: in small batches its statistics stay as they began, and a transformer's tokens differ in
    size by orders of magnitude between blocks and channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.mix = nn.Linear(inputs, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return self.mix(self.norm(maps.movedim(1, -1))).movedim(-1, 1)
