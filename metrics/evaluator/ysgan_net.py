"""``ysgan``: quality of GAN-generated images; a full-reference teacher, and a student that imagines what it saw.

Yan, Si: GAN image quality assessment method based on knowledge distillation. Printing and Digital Media Technology
Study, 2024 (1). What its public part leaves open follows Cheon et al. 2021 (arXiv:2104.14730, IQT) and Conde et al.
2022 (arXiv:2204.09779, noisy student); sizes are this project's.

Image with what cannot be seen taken away (jnd.py) -> maps of a backbone -> depth-wise separable convolution per map ->
side by side -> cascaded group attention, one head per map in full size -> difference from the reference -> 1x1
convolutions -> tokens (tokens_net.py) -> the quality token and a semantic branch -> score. The student has no
reference: from its own maps, two 1x1 convolutions are trained to produce the teacher's difference and reference.
With ``spread`` the averaged maps are joined by the deviations within the averaged cells, which tell texture from plain.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base_net import Evaluator, judged, levels
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
    ) -> None:
        if role not in ("FR", "NR"):
            raise ValueError(f"ysgan has the roles FR and NR, not {role!r}")
        if jnd not in ("none", "visible", "suprathreshold", "channel"):
            raise ValueError(f"there is no use of JND {jnd!r}; choose none, visible, suprathreshold or channel")
        if jnd == "suprathreshold" and role != "FR":
            raise ValueError("jnd = suprathreshold needs the reference; use visible in the role NR")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen, cap=cap, spread=spread)
        self.jnd, self.jnd_edges, self.kappa = jnd, jnd_edges, kappa
        self.jnd_model: Model = jnd_model
        channels = tuple(c * (1 + spread) for c in self.source.channels)
        deepest = channels[-1]
        self.taps = channels[:-1] if len(channels) > 4 else channels  # the last of many only tells the content
        width = tap * len(self.taps)
        self.side = side
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
        return "" if self.jnd in ("suprathreshold", "channel") else super().trunk

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
        raw, own = self.maps(images, views.features)
        content = own[-1].mean(dim=(2, 3))
        seen = self._joined(own)
        if self.role == "FR":
            _, other = self.maps(views.aux, views.aux_features)
            pristine_maps = self._joined(other)
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

    def _joined(self, maps: list[Tensor]) -> Tensor:
        reduced = [fit(layer(value), self.side) for layer, value in zip(self.reduce, maps)]
        return self.attention(torch.cat(reduced, dim=1))
