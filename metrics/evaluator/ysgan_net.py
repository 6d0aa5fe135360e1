"""``ysgan``: quality of GAN-generated images; a full-reference teacher, and a student that imagines what it saw.

Yan, Si: GAN image quality assessment method based on knowledge distillation. Printing and Digital Media Technology
Study, 2024 (1). What its public part leaves open follows Cheon et al. 2021 (arXiv:2104.14730, IQT) and Conde et al.
2022 (arXiv:2204.09779, noisy student); sizes are this project's.

Image with what cannot be seen taken away (jnd.py) -> maps of a backbone -> depth-wise separable convolution per map ->
side by side -> cascaded group attention, one head per map in full size -> difference from the reference -> 1x1
convolutions -> tokens (tokens_net.py) -> the quality token and a semantic branch -> score. The student has no
reference: from its own maps, two 1x1 convolutions are trained to produce the teacher's difference and reference.
With ``spread`` the averaged maps are joined by the deviations within the averaged cells, which tell texture from plain.
With ``branch`` the teacher has a second, frozen backbone (branch_net.py), such as the vision transformer
``dinov2s-focus`` (tuned for saliency, not vanilla DINOv2): the attention has a head more for each of its maps, so that
the difference and all that follows see the features of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .base_net import Evaluator, judged, levels
from .branch_net import Branch
from .jnd import KAPPA, Model, jnd, towards, visible
from .parts_net import WindowedCGA, fit, regressor, separable
from .tokens_net import Comparator
from .trace import Trace
from .views import Views

SEMANTIC = 64


class Ysgan(Evaluator):
    """Role ``FR``: the teacher. Role ``NR``: the student."""

    def __init__(
        self,
        *,
        backbone: str,
        role: str,
        tap: int,
        side: int,
        heads: int,
        window: int,
        ffn: int,
        key: int = 16,
        kernels: tuple[int, ...] | None = None,
        dim: int = 128,
        cap: int = 12,
        dropout: float = 0.1,
        jnd: str = "visible",
        jnd_model: Model = "pattern",
        jnd_edges: bool = False,
        kappa: float = KAPPA,
        spread: bool = False,
        frozen: bool = True,
        pretrained: bool = True,
        branch: str | None = None,
        branch_taps: tuple[int, ...] = (2, 3),
        branch_pretrained: bool | None = None,
    ) -> None:
        """
        Args:
            branch: name of a second backbone for the role FR; always frozen.
            branch_taps: which of its maps, counted from 1.
            branch_pretrained: by default as ``pretrained``; apart, for a state that holds only the first backbone.

        For the others see recipes and base_net.py.
        """
        if role not in ("FR", "NR"):
            raise ValueError(f"ysgan has the roles FR and NR, not {role!r}")
        if jnd not in ("none", "visible", "suprathreshold", "channel"):
            raise ValueError(f"there is no use of JND {jnd!r}; choose none, visible, suprathreshold or channel")
        if jnd == "suprathreshold" and role != "FR":
            raise ValueError("jnd = suprathreshold needs the reference; use visible in the role NR")
        if branch and role != "FR":
            raise ValueError(f"a branch is for the teacher, in the role FR, and this network has {role}; leave it out")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen, cap=cap, spread=spread)
        self.jnd, self.jnd_edges, self.kappa = jnd, jnd_edges, kappa
        self.jnd_model: Model = jnd_model
        channels = tuple(c * (1 + spread) for c in self.source.channels)
        deepest = channels[-1]
        self.taps = channels[:-1] if len(channels) > 4 else channels  # the last of many only tells the content
        self.side = side
        self.branch = None
        if branch:
            own = pretrained if branch_pretrained is None else branch_pretrained
            self.branch = Branch(branch, taps=branch_taps, outputs=tap, cap=cap, pretrained=own)
            heads += len(branch_taps)
            kernels = kernels and (*kernels, *kernels[-1:] * len(branch_taps))
        width = tap * (len(self.taps) + (len(branch_taps) if branch else 0))
        self.reduce = nn.ModuleList(separable(c, tap) for c in self.taps)
        self.attention = WindowedCGA(width, heads=heads, key=key, window=window, side=side, kernels=kernels)
        self.difference = nn.Conv2d(width, dim, 1)
        self.reference = nn.Conv2d(width, dim, 1)
        self.compare = Comparator(dim, side=side, ffn=ffn, dropout=dropout)
        self.semantic = nn.Sequential(nn.Linear(deepest, SEMANTIC), nn.GELU())
        self.head = regressor(dim + SEMANTIC + (jnd == "channel"), dim)
        self.widths |= {"tok.d": dim, "tok.r": dim, "enc": dim, "dec": dim, "sem": SEMANTIC}

    @property
    def preparation(self) -> str:
        if self.jnd != "visible":
            return "plain"
        return f"visible-{self.jnd_model}-{self.kappa:g}{'-edges' if self.jnd_edges else ''}"

    @property
    def trunk(self) -> str:
        """Empty also where the maps do not follow from one image alone."""
        trunk = "" if self.jnd in ("suprathreshold", "channel") else super().trunk
        return f"{trunk}+{self.branch.identity}" if trunk and self.branch is not None else trunk

    @property
    def borrowed(self) -> dict[str, str]:
        return {} if self.branch is None else {self.branch.source.slot: self.branch.digest}

    def threshold(self, images: Tensor) -> Tensor:
        return jnd(images, self.jnd_model, edges=self.jnd_edges)

    def prepare(self, images: Tensor) -> Tensor:
        return visible(images, self.threshold(images), self.kappa) if self.jnd == "visible" else images

    def forward(self, views: Views) -> Trace:
        batch, _ = self.check(views)
        if self.jnd in ("suprathreshold", "channel") and views.features is not None:
            raise ValueError(f"jnd = {self.jnd} needs the images themselves; use visible or none with cached features")
        images = views.x
        if self.jnd == "suprathreshold":
            assert images is not None
            assert views.aux is not None
            pristine = views.aux.flatten(0, 1)
            images = towards(images.flatten(0, 1), pristine, self.threshold(pristine), self.kappa).view_as(images)
        raw, own, beside = self._seen(images, views.features)
        content = own[-1].mean(dim=(2, 3))
        seen = self._joined(own, beside)
        if self.role == "FR":
            _, other, beside = self._seen(views.aux, views.aux_features)
            pristine_maps = self._joined(other, beside)
            content = (other[-1].mean(dim=(2, 3)) - content).abs()
            d, r = self.difference(pristine_maps - seen), self.reference(pristine_maps)
        else:
            d, r = self.difference(seen), self.reference(seen)
        encoded, decoded = self.compare(d, r)
        semantic = self.semantic(content)
        parts = [decoded[:, 0], semantic]
        if self.jnd == "channel":
            assert views.x is not None
            parts.append(self.threshold(views.x.flatten(0, 1)).mean(dim=(2, 3)) / 32)
        return {
            **levels(raw),
            "tok.d": d.flatten(2).transpose(1, 2),
            "tok.r": r.flatten(2).transpose(1, 2),
            "enc": encoded,
            "dec": decoded,
            "sem": semantic,
            **judged(self.head(torch.cat(parts, dim=1))[:, 0], batch),
        }

    def extract(self, images: Tensor) -> list[Tensor]:
        """As for any evaluator; then the maps of the branch."""
        if self.branch is None:
            return super().extract(images)
        prepared = self.prepare(images)
        own = [self._summary(maps) for maps in self.source(self.backbone, prepared)]
        return [*own, *self.branch.extract(prepared)]

    def _seen(
        self, images: Tensor | None, features: Sequence[Any] | None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """What ``maps`` says, and the maps of the branch."""
        if self.branch is None or (images is None and features is None):
            return (*self.maps(images, features), [])
        if features is not None:
            count = len(self.source.channels)
            return (*self.maps(None, features[:count]), [maps.flatten(0, 1).float() for maps in features[count:]])
        assert images is not None
        prepared = self.prepare(images.flatten(0, 1))  # once for both: it takes longest
        raw = self.source(self.backbone, prepared)
        return raw, [self._summary(maps) for maps in raw], self.branch.extract(prepared)

    def _joined(self, maps: list[Tensor], beside: list[Tensor]) -> Tensor:
        reduced = [fit(layer(value), self.side) for layer, value in zip(self.reduce, maps)]
        if self.branch is not None:
            reduced += self.branch(beside, self.side)
        return self.attention(torch.cat(reduced, dim=1))
