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
    "srgan-lite-psnr": "generators.srgan.restorer:SRGANLitePSNR",
    "srgan-lite-early": "generators.srgan.restorer:SRGANLiteEarly",
    "srgan-lite-mid": "generators.srgan.restorer:SRGANLiteMid",
    "srgan-lite": "generators.srgan.restorer:SRGANLite",
    "checkpoint": "generators.checkpoint:Checkpoint",
    "onnx": "generators.onnx:Onnx",
    "torchscript": "generators.torchscript:TorchScript",
    "python": "generators.entry:Python",
    "command": "generators.command:Command",
}
"""Restorers by name: ``module:class`` below the package, imported only when asked for."""

OWN = ("checkpoint", "onnx", "torchscript", "python", "command")
"""Those that run something of the user's, which has to be named: ``checkpoint(path='net.safetensors')``."""

DEGRADATIONS: dict[str, str] = {
    "down": "generators.degradations:Down",
    "down-up": "generators.degradations:DownUp",
    "imresize": "generators.degradations:Imresize",
    "pixelate": "generators.degradations:Pixelate",
    "blur": "generators.degradations:Blur",
    "anisotropic-blur": "generators.degradations:AnisotropicBlur",
    "motion-blur": "generators.degradations:MotionBlur",
    "defocus": "generators.degradations:Defocus",
    "noise": "generators.degradations:Noise",
    "poisson": "generators.degradations:Poisson",
    "impulse": "generators.degradations:Impulse",
    "correlated-noise": "generators.degradations:CorrelatedNoise",
    "ycbcr-noise": "generators.degradations:YCbCrNoise",
    "multiplicative-noise": "generators.degradations:MultiplicativeNoise",
    "jpeg": "generators.degradations:JPEG",
    "webp": "generators.degradations:WebP",
    "jpeg2000": "generators.degradations:JPEG2000",
    "color-diffusion": "generators.degradations:ColorDiffusion",
    "color-shift": "generators.degradations:ColorShift",
    "saturate-hsv": "generators.degradations:SaturateHSV",
    "saturate-lab": "generators.degradations:SaturateLab",
    "brighten": "generators.degradations:Brighten",
    "darken": "generators.degradations:Darken",
    "mean-shift": "generators.degradations:MeanShift",
    "contrast-curve": "generators.degradations:ContrastCurve",
    "contrast-range": "generators.degradations:ContrastRange",
    "quantize": "generators.degradations:Quantize",
    "sharpen": "generators.degradations:Sharpen",
    "jitter": "generators.degradations:Jitter",
    "patch-shift": "generators.degradations:PatchShift",
    "color-blocks": "generators.degradations:ColorBlocks",
    "gan-resample": "generators.degradations:Resample",
    "gan-texture": "generators.degradations:Texture",
    "gan-checkerboard": "generators.degradations:Checkerboard",
    "gan-kernel-mismatch": "generators.degradations:KernelMismatch",
    "gan-oversmooth": "generators.degradations:Oversmooth",
    "gan-warp": "generators.degradations:Warp",
    "ladder": "generators.degradations:Ladder",
}
"""Degradations by the name they have in recipes."""

SAMPLERS: dict[str, str] = {
    "dcgan-faces": "generators.samplers.dcgan:DCGANFaces",
    "onnx-sampler": "generators.samplers.onnx:OnnxSampler",
    "torchscript-sampler": "generators.samplers.torchscript:TorchScriptSampler",
    "python-sampler": "generators.samplers.python:PythonSampler",
    "images": "generators.samplers.images:Images",
}
"""What makes images from a seed alone (or hands out those of a folder), for metrics that compare sets."""
