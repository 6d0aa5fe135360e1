"""What makes images: degradations, classical restorers and restoration networks.

Restorers take a (3, h, w) tensor in [0, 1] and give one of ``scale`` times its sides, clamped. Degradations
(``degrade``) take and give HxWx3 uint8 arrays. ``demo`` builds the embedded demonstration set from both.
"""

from __future__ import annotations

BUILTIN: dict[str, str] = {
    "nearest": "generators.interpolation:Nearest",
    "bilinear": "generators.interpolation:Bilinear",
    "bicubic": "generators.interpolation:Bicubic",
    "lanczos": "generators.interpolation:Lanczos",
    "back-projection": "generators.interpolation:BackProjection",
    "nlm": "generators.denoise:NonLocalMeans",
    "tv-chambolle": "generators.denoise:TotalVariation",
    "wavelet": "generators.denoise:Wavelet",
    "bilateral": "generators.denoise:Bilateral",
    "realsr-df2k": "generators.realesrgan:RealSR",
    "realesrgan-x4plus": "generators.realesrgan:RealESRGAN",
    "realesrgan-x4plus-anime": "generators.realesrgan:RealESRGANAnime",
    "realesr-animevideov3": "generators.realesrgan:RealESRGANVideo",
}
"""Restorers by name: ``module:class`` below the package, imported only when asked for."""
