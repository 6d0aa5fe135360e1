"""One comparison: a metric, who else computes it, on which images, and how near the two must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import stand_ins
import torch
from ganiq.bench import registry
from ganiq.bench.measure import make
from ganiq.bench.spec import Spec
from ganiq.bench.weights import MissingWeights

from . import cases
from .cases import Absent, Case

Values = Any
"""A number, or an array where features are compared."""


@dataclass(frozen=True)
class Promise:
    """Largest error that may occur: relative to the other program's value, or absolute where the scale demands it."""

    relative: float | None = None
    absolute: float | None = None

    def __str__(self) -> str:
        return f"{short(self.absolute)} absolute" if self.absolute is not None else short(self.relative or 0)


@dataclass(frozen=True)
class Found:
    """Largest errors over all cases."""

    count: int
    relative: float
    absolute: float

    def keeps(self, promise: Promise) -> bool:
        """NaN keeps no promise."""
        if promise.absolute is not None:
            return self.absolute <= promise.absolute
        return promise.relative is not None and self.relative <= promise.relative


@dataclass(frozen=True)
class Row:
    """A metric beside another program."""

    metric: str
    """Spec text."""
    against: str
    """Who computes it, in words; versions of packages are added."""
    oracle: Callable[[Case], Values]
    on: tuple[str, ...]
    """Names of sets of cases."""
    promise: Promise | None
    """In the precision that a run uses. None: never measured yet, nothing is promised."""
    double: Promise | None = None
    """In float64, for metrics that a run computes in float32."""
    packages: tuple[str, ...] = ()
    note: str = ""
    """What differs in the protocol, and what the comparison cannot show."""
    own: Callable[[Case], Values] | None = None
    """Our side, where it is not simply the metric."""
    stand_in: bool = False
    """Weights that are not at hand are replaced by random tensors, the same on both sides."""

    slow: bool = False
    """Not in the default run of the tests."""

    @property
    def name(self) -> str:
        return Spec.parse(self.metric).name

    def __str__(self) -> str:
        return f"{self.metric} - {self.against}"

    def versions(self) -> str:
        """Of the packages, behind the name of whoever computes it."""
        return ", ".join(f"{package} {installed(package)}" for package in self.packages)

    def sets(self, *, all: bool) -> list[str]:
        """Which cases are tried; the quick ones only, unless all are asked for."""
        if all:
            return [*self.on]
        return [] if self.slow else [name for name in (cases.QUICK.get(name, name) for name in self.on) if name]

    def measure(self, *, all: bool = True) -> tuple[Found, Found | None]:
        """Errors in the precision of a run, and in float64 where the row promises it too.

        Raises:
            Absent: data, a package or weights that this comparison needs are not on this computer.
        """
        for package in self.packages:
            if not installed(package):
                raise Absent(f"the package {package} is not installed")
        metric = make(Spec.parse(self.metric))
        chosen = [case for name in self.sets(all=all) for case in cases.get(name) if fits(metric.info, case)]
        if not chosen:
            raise AssertionError(f"{self}: no case suits it")
        plain, double = [], []
        with stand_ins.instead() if self.stand_in else nullcontext():
            for case in chosen:
                try:
                    theirs = np.asarray(self.oracle(case), dtype=float)
                    if self.own:
                        plain.append((np.asarray(self.own(case), dtype=float), theirs))
                        continue
                    plain.append((score(metric, case, metric.info.dtype), theirs))
                    if self.double:
                        double.append((score(metric, case, "float64"), theirs))
                except MissingWeights as missing:
                    raise Absent(f"needs weights {missing.slot}") from None
        return largest(plain), largest(double) if double else None


def short(value: float) -> str:
    """Two digits: 0.013, 1.2e-6."""
    if value == 0 or value >= 1e-3:
        return f"{value:.2g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def installed(package: str) -> str:
    """Version, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def fits(info: Any, case: Case) -> bool:
    return info.needs == "set" or min(case.image.shape[2:]) >= info.least


def score(metric: Any, case: Case, dtype: str) -> np.ndarray:
    """Of the metric; tensors are made anew so that nothing is remembered from one precision to the other."""
    if metric.info.needs == "set":
        return np.asarray(metric(case.image.clone(), case.reference.clone()))
    image, reference = (x.to(getattr(torch, dtype), copy=True) for x in (case.image, case.reference))
    values = metric(image, reference) if metric.info.needs == "pair" else metric(image)
    return np.asarray(values.double().mean().item())


def largest(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Found:
    """For features: the largest difference, and the same over the largest feature."""
    absolute, relative = [], []
    for own, theirs in pairs:
        if own.shape != theirs.shape:
            raise AssertionError(f"shapes differ: {own.shape}, {theirs.shape}")
        if own.ndim == 0 and own == theirs:  # also both infinite
            absolute.append(0.0)
            relative.append(0.0)
            continue
        error, size = np.abs(own - theirs).max(), np.abs(theirs).max()
        absolute.append(float(error))
        relative.append(float(error / size) if size else float(error and np.inf))
    # np.max, other than max, keeps NaN.
    return Found(len(pairs), float(np.max(relative)), float(np.max(absolute)))


def family(name: str) -> str:
    """Which table of the document a metric belongs to."""
    factory = registry.metrics.get(name)
    if factory.info.needs == "set":
        return "sets"
    if ".learned." in factory.__module__:
        return "learned"
    return "pairs" if factory.info.needs == "pair" else "images"
