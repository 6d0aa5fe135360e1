"""Degradations that come out the same every time: named, with parameters, seeded by image and seed.

A recipe is a chain such as ``blur(sigma=1.2) | imresize(scale=4) | noise(sigma=5) | jpeg(quality=40)``; ``apply``
carries it out. Images are (H, W, 3) uint8 throughout, rounded half to even after every step. Randomness comes from
the image's key, the seed, the place in the chain and the name of the step (sha256), never from global state; two
strengths of noise on one image share their pattern, so that the stronger one is the weaker one made worse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from ..bench.errors import UsageError
from ..bench.spec import Spec
from .base import Pixels
from .degradations import ALL, Degradation, Random

BANK: dict[str, type[Degradation]] = {one.info.name: one for one in ALL}
"""Degradations by the name they have in recipes."""


def steps(recipe: str, find: Callable[[str], type[Degradation]] | None = None) -> list[Spec]:
    """A recipe with every parameter spelled out, step by step.

    Args:
        recipe: ``name(parameter=value) | ...``
        find: gives the class of a name; ``BANK`` unless given.

    Raises:
        UsageError: an unknown degradation or parameter.
    """
    return [spec for spec, _ in chain(recipe, find)]


def chain(recipe: str, find: Callable[[str], type[Degradation]] | None = None) -> list[tuple[Spec, Degradation]]:
    """The steps of a recipe, ready to be called, each with its name and parameters.

    Raises:
        UsageError: an unknown degradation, an unknown parameter, or a value out of its range.
    """
    answer = []
    for text in recipe.split("|"):
        given = Spec.parse(text)
        make = (find or _own)(given.name)
        aliases = getattr(make, "aliases", {})
        named = {aliases.get(key, key): value for key, value in given.params}
        if len(named) != len(given.params):
            raise UsageError(f"{text.strip()!r} gives one parameter under two names; keep one", code="E-CFG")
        spec = Spec.of(given.name, make, named)
        answer.append((spec, make(**spec.arguments)))
    return answer


def shrink(recipe: str, find: Callable[[str], type[Degradation]] | None = None) -> float:
    """Input side divided by output side, over the whole chain."""
    return float(np.prod([step.shrink for _, step in chain(recipe, find)]))


def apply(
    recipe: str,
    image: Pixels,
    *,
    key: str,
    seed: int = 0,
    find: Callable[[str], type[Degradation]] | None = None,
) -> Pixels:
    """Degrade an image.

    Args:
        recipe: ``name(parameter=value) | ...``, carried out from left to right.
        image: (H, W, 3) uint8.
        key: identity of the image; equal keys and seeds give equal noise.
        seed: another seed gives other noise.
        find: gives the class of a name; ``BANK`` unless given.

    Returns:
        A new (h, w, 3) uint8 array.

    Raises:
        UsageError: unknown degradation, unknown parameter, or a value out of its range.
        ValueError: another shape or type of image.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a degradation takes (H, W, 3) uint8, not {image.shape} {image.dtype}")
    for place, (spec, step) in enumerate(chain(recipe, find)):
        image = step(image, _random(key, seed, place, spec.name))
    return image


def _own(name: str) -> type[Degradation]:
    if name not in BANK:
        raise UsageError(f"there is no degradation {name!r}; there are {', '.join(BANK)}", code="E-CFG")
    return BANK[name]


def _random(key: str, seed: int, place: int, name: str) -> Random:
    text = "\0".join((key, str(int(seed)), str(place), name))
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")))
