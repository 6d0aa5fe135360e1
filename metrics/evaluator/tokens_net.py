"""Encoder on the difference, decoder with the reference as query: the comparison in tokens.

Cheon et al.: Perceptual image quality assessment with transformers. CVPR Workshops 2021. arXiv:2104.14730 (IQT).
The encoder reads the tokens of the difference, the decoder those of the reference and the encoder's output, without
a causal mask; the first token of the decoder, which belongs to no place, carries the quality. Layers by torch,
normalisation after each (post-norm). Where IQT gives every head more channels than its share, the attention inside
torch's layers is exchanged for one with that width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Comparator(nn.Module):
    """Maps (N,D,side,side) of difference and reference -> encoder and decoder tokens (N,1+side*side,D)."""

    def __init__(
        self,
        dim: int,
        *,
        side: int,
        ffn: int,
        heads: int = 4,
        head_dim: int | None = None,
        layers: int = 1,
        dropout: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        count = side * side + 1
        self.quality = nn.ParameterDict({name: nn.Parameter(torch.zeros(1, 1, dim)) for name in ("enc", "dec")})
        self.place = nn.ParameterDict({name: nn.Parameter(torch.zeros(1, count, dim)) for name in ("enc", "dec")})
        for value in (*self.quality.values(), *self.place.values()):
            nn.init.trunc_normal_(value, std=0.02)
        self.encoder = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, ffn, dropout, "gelu", eps, batch_first=True) for _ in range(layers)
        )
        self.decoder = nn.ModuleList(
            nn.TransformerDecoderLayer(dim, heads, ffn, dropout, "gelu", eps, batch_first=True) for _ in range(layers)
        )
        if head_dim is not None and head_dim * heads != dim:
            for layer in self.encoder:
                layer.self_attn = WideAttention(dim, heads, head_dim, dropout)
            for layer in self.decoder:
                layer.self_attn = WideAttention(dim, heads, head_dim, dropout)
                layer.multihead_attn = WideAttention(dim, heads, head_dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, difference: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        encoded = self._tokens(difference, "enc")
        for layer in self.encoder:
            encoded = layer(encoded)
        decoded = self._tokens(reference, "dec")
        for layer in self.decoder:
            decoded = layer(decoded, encoded)
        return encoded, decoded

    def _tokens(self, maps: Tensor, name: str) -> Tensor:
        tokens = maps.flatten(2).transpose(1, 2)
        quality = self.quality[name].expand(tokens.shape[0], -1, -1)
        return self.dropout(torch.cat([quality, tokens], dim=1) + self.place[name])


class WideAttention(nn.Module):
    """Attention whose heads together are wider than the tokens; called like torch's own inside its layers."""

    batch_first = False  # keeps torch's encoder layer off its fused path, which knows only torch's attention

    def __init__(self, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        width = heads * head_dim
        self.query, self.key, self.value = (nn.Linear(dim, width) for _ in range(3))
        self.out = nn.Linear(width, dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **_: object) -> tuple[Tensor, None]:
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).flatten(2)), None
