"""What all evaluators share: the backbone, its frozen form, its cache, and the refusal to compare with nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from .backbones import backbone
from .parts_net import deviation, shrink
from .trace import Trace
from .views import Views

AUXILIARY = {
    "FR": "the aligned reference",
    "NAR": "a pristine image of other content",
    "PR": "the re-distorted image",
    "DR": "the degraded image it was restored from",
}
"""Role -> what the second image is; ``NR`` has none."""


class Evaluator(nn.Module):
    """Views -> trace. Subclasses say how the maps of the backbone become a score."""

    def __init__(
        self,
        trunk: str,
        *,
        role: str,
        pretrained: bool,
        frozen: bool,
        cap: int = 12,
        patches: int | None = None,
        spread: bool = False,
    ) -> None:
        super().__init__()
        if role != "NR" and role not in AUXILIARY:
            raise ValueError(f"there is no role {role!r}; choose one of NR, {', '.join(AUXILIARY)}")
        self.role = role
        self.source = backbone(trunk)
        self.backbone = self.source.build(pretrained=pretrained).requires_grad_(not frozen)
        self.cap = cap
        """Side that maps are averaged to before anything is trained on them, cached or not."""
        self.spread = spread
        """Whether each averaged map is followed by the deviations within the averaged cells, as so many channels."""
        self.patches = patches
        """Patches per image that are judged together; ``None`` where each is judged by itself."""
        self.widths: dict[str, int] = {f"bb.l{i}": c for i, c in enumerate(self.source.channels, 1)}
        """Channels of what the trace holds, for adapters."""
        self.pretrained = pretrained
        self.filled = ""
        """sha256 of the file whose values took the place of those it was built with; part of ``trunk``."""
        self.held: frozenset[str] = frozenset()
        """Names of parameters that learn, though not in the stage of training that runs."""
        self.largest = 0
        """Side up to which images are seen whole, and larger ones in as many crops as cover them; 0: the crops are of
        the training's size."""

    @property
    def needs_aux(self) -> bool:
        return self.role != "NR"

    @property
    def trunk(self) -> str:
        """Identity of everything ``extract`` depends on; empty if it changes in training."""
        if any(p.requires_grad or f"backbone.{name}" in self.held for name, p in self.backbone.named_parameters()):
            return ""
        return f"{self.source.name}:{self.weights}:{self.cap}{'+spread' * self.spread}:{self.preparation}"

    @property
    def weights(self) -> str:
        """What tells the backbone's weights from others: the digest of the published ones, or of a file. A file rounds
        them to half precision, and features of the two differ in the third digit."""
        from ...bench.weights import digest_of

        return self.filled or (digest_of(self.source.slot) if self.pretrained else "random")

    @property
    def borrowed(self) -> dict[str, str]:
        """Slot -> sha256 of weights that the network works with and its state leaves out."""
        return {}

    @property
    def preparation(self) -> str:
        """Of images before the backbone; part of ``trunk``."""
        return "plain"

    def prepare(self, images: Tensor) -> Tensor:
        return images

    def train(self, mode: bool = True) -> Evaluator:
        """A frozen backbone stays in evaluation: its statistics are not to move."""
        super().train(mode)
        if not any(p.requires_grad for p in self.backbone.parameters()):
            self.backbone.eval()
        return self

    def extract(self, images: Tensor) -> list[Tensor]:
        """(N,3,S,S) in [0,1] -> maps as ``Views.features`` holds them, without the patches' dimension."""
        return [self._summary(maps) for maps in self.source(self.backbone, self.prepare(images))]

    def _summary(self, maps: Tensor) -> Tensor:
        small = shrink(maps, self.cap)
        return torch.cat((small, deviation(maps, self.cap)), dim=1) if self.spread else small

    def maps(
        self, images: Tensor | None, features: Sequence[Tensor | list[Tensor]] | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Maps of B*m patches: as the backbone made them (averaged, if they were cached), and as ``extract`` has them.

        Raises:
            ValueError: neither images nor features.
        """
        if features is not None:
            # Images of several sizes are handed only to networks that see them whole, which read features themselves.
            stored = [maps.flatten(0, 1).float() for maps in cast("Sequence[Tensor]", features)]
            if self.spread:
                return [maps.chunk(2, dim=1)[0] for maps in stored], stored
            return stored, [shrink(maps, self.cap) for maps in stored]
        if images is not None:
            raw = self.source(self.backbone, self.prepare(images.flatten(0, 1)))
            return raw, [self._summary(maps) for maps in raw]
        raise ValueError(f"{type(self).__name__} was given neither images nor features; pass one of them")

    def check(self, views: Views) -> tuple[int, int]:
        """(B, m) of these views.

        Raises:
            ValueError: nothing to compare with, or another number of patches than the network was built for.
        """
        if self.needs_aux and views.aux is None and views.aux_features is None:
            raise ValueError(
                f"{type(self).__name__} in the role {self.role} compares with {AUXILIARY[self.role]}, "
                "and none was given; pass it as aux"
            )
        first = views.x if views.features is None else views.features[0]
        if first is None:
            raise ValueError(f"{type(self).__name__} was given neither images nor features; pass one of them")
        batch, patches = first.shape[:2] if not isinstance(first, list) else (len(first), len(first[0]))
        if self.patches is not None and patches != self.patches:
            raise ValueError(f"{type(self).__name__} judges {self.patches} patches per image, and {patches} were given")
        return batch, patches

    def forward(self, views: Views) -> Trace:
        raise NotImplementedError


def levels(maps: Sequence[Tensor]) -> Trace:
    """Maps of a backbone under their names in a trace."""
    return {f"bb.l{index}": value for index, value in enumerate(maps, 1)}


def judged(scores: Tensor, batch: int) -> Trace:
    """(B*m,) scores of patches -> their mean per image, and their deviation where there are several."""
    scores = scores.view(batch, -1)
    found = {"score": scores.mean(1)}
    if scores.shape[1] > 1:
        found["score.std"] = scores.detach().std(1, correction=0)
    return found
