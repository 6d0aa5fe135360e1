"""Recipes: a student, perhaps a teacher, and the stages that train them, as a small declarative TOML file.

::

    name = "hintkd-lite"
    label = "min-max"
    [views]
    crop = 192
    [teacher]
    net = "ysgan"
    role = "FR"
    aux = "ref"
    [student]
    net = "slkd"
    role = "NR"
    [[stages]]
    name = "hint"
    epochs = 5
    terms = [{distill = "hint", weight = 1.0}, {loss = "reg", weight = 1.0}]

The loss of a stage is the weighted sum of its terms; each is a task loss against labels or a distiller against the
teacher, averaged over the samples it is defined for, with a weight that may rise over the stage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .. import toml_file
from ..errors import UsageError
from ..measure import measure
from ..spec import digest

Aux = Literal["none", "ref", "nar", "redist", "degraded"]
ROLES: dict[str, tuple[Aux, ...]] = {
    "FR": ("ref",),
    "NR": ("none",),
    "NAR": ("nar",),
    "PR": ("redist",),
    "DR": ("degraded", "ref"),
}
"""What a network of each role may be shown beside the image."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Net(BaseModel):
    """A network: its name and role; every other key is an option of the network itself."""

    model_config = ConfigDict(extra="allow", frozen=True)
    net: str
    role: Literal["FR", "NR", "NAR", "PR", "DR"] = "NR"
    aux: Aux | None = None
    """By default what the role implies."""

    @property
    def shown(self) -> Aux:
        """What it is shown beside the image."""
        return self.aux or ROLES[self.role][0]

    @property
    def options(self) -> dict[str, Any]:
        """All of it, as the network's builder takes it."""
        return self.model_dump(exclude={"aux"})


class Noise(_Section):
    """Disturbances of the student's view alone; the teacher sees the clean one."""

    erase: float = Field(0.0, ge=0, le=1)
    """Share of views with grey blocks."""
    blocks: int = Field(9, ge=1)
    """Most blocks of one view."""
    sides: tuple[int, int] = (16, 32)
    jnd: float = Field(0.0, ge=0, le=1)
    """Share of views that receive noise of 0.7 times the just noticeable difference."""
    gauss: float = Field(0.0, ge=0, le=16)
    """Largest deviation of white noise, on the scale 0 to 255."""


class Cut(_Section):
    """How crops are drawn."""

    crop: int = Field(default=192, ge=16)
    patches: int = Field(default=1, ge=1, le=64)
    """Crops of one image that a network sees at once."""
    flips: bool = True
    turns: bool = True
    """Rotations by multiples of 90 degrees; no others, which would need resampling."""
    noise: Noise | None = None


class Group(_Section):
    """Parameters whose names begin with ``match``; the longest match wins."""

    match: str = ""
    lr: float = Field(gt=0)


class Term(_Section):
    """One summand of a stage's loss."""

    loss: str = ""
    distill: str = ""
    weight: float = Field(1.0, ge=0)
    ramp: Literal["constant", "linear", "step", "cosine"] = "constant"
    over: float = Field(0.2, gt=0, le=1)
    """Share of the stage's steps in which the weight rises from 0."""
    on: Literal["student", "teacher"] = "student"
    """Whose trace a task loss looks at; ``teacher`` only where both share their weights."""
    of: Literal["any", "people", "pseudo"] = "any"
    """Whose labels a task loss takes: people's, or the pool's pseudo-labels."""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one(self) -> Term:
        if bool(self.loss) == bool(self.distill):
            raise ValueError("a term names either a loss or a distill")
        return self

    @property
    def name(self) -> str:
        return self.loss or self.distill


class Stage(_Section):
    """One pass of training."""

    name: str
    train: Literal["teacher", "student"] = "student"
    data: Literal["labelled", "pool", "all"] = "labelled"
    """The images of the data set, the unlabelled pool made from its references, or both."""
    labels: Literal["human", "pseudo", "teacher"] = "human"
    """``pseudo``: the pool's images have the mean of several metrics; ``teacher``: the trained teacher's answers to
    the fixed crops, taken once (soft labels)."""
    epochs: int = Field(0, ge=0)
    steps: int = Field(0, ge=0)
    """Instead of epochs."""
    batch: int = Field(16, ge=2)
    crop: int = Field(0, ge=0)
    """Side of the random crops it learns from, for networks that take any; 0: that of the views."""
    per_reference: int = Field(0, ge=0)
    """Images of one reference in a batch; 0 draws without regard to references."""
    share: float = Field(0.0, ge=0, lt=1)
    """Of a batch of ``data = "all"``: how much of it comes from the pool, whose images follow ``per_reference``; an
    epoch is then one of the data set. 0 mixes both as they come."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    lr: float = Field(1e-4, gt=0)
    groups: tuple[Group, ...] = ()
    freeze: tuple[str, ...] = ()
    """Beginnings of the names of parameters that stay as they are."""
    weight_decay: float = Field(1e-6, ge=0)
    schedule: Literal["constant", "cosine", "step", "one-cycle", "legacy-cos50"] = "cosine"
    step_every: int = Field(10, ge=1)
    """Epochs between the drops of the schedule ``step``."""
    step_factor: float = Field(0.1, gt=0, le=1)
    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from 0."""
    clip: float = Field(1.0, gt=0)
    keep: Literal["last", "swa", "ema", "best"] = "swa"
    """The weights a stage ends with: the last; the equal or exponential average over its last third; or those of the
    epoch with the best agreement on the validation split."""
    decay: float = Field(0.999, gt=0, lt=1)
    thaw: tuple[str, ...] = ()
    """Beginnings of the names of frozen parameters that learn from this stage on."""
    noise: bool = True
    """Whether the student's views are disturbed, where the recipe says how."""
    cached: bool = False
    """Train on stored features of the frozen trunk, of a fixed grid of crops, without flips."""
    terms: tuple[Term, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Stage:
        if bool(self.epochs) == bool(self.steps):
            raise ValueError("a stage has either epochs or steps")
        grouped = round(self.share * self.batch) if self.share else self.batch
        if self.per_reference and grouped % self.per_reference:
            what = f"the pool's share of a batch ({grouped})" if self.share else "batch"
            raise ValueError(f"{what} must be a multiple of per_reference")
        if self.train == "teacher" and any(t.distill for t in self.terms):
            raise ValueError("a stage that trains the teacher cannot distil from it")
        return self


class Recipe(_Section):
    """How an evaluator comes about."""

    name: str
    title: str = ""
    cite: str = ""
    note: str = ""
    seed: int = Field(0, ge=0)
    label: Literal["min-max", "z-score", "ckdn"] = "min-max"
    views: Cut = Cut()
    crops: int = Field(5, ge=0, le=10)
    """Fixed crops, at test and in stored features: the corners, the middle, then their mirror images; 0: as many as
    cover the image."""
    teacher: Net | None = None
    student: Net
    pool: int = Field(0, ge=0)
    """Images of the unlabelled pool; 0: no stage uses it."""
    blind: bool = False
    """Pseudo-labels with equal weights of their metrics, instead of weights that carry knowledge of PIPAL."""
    judges: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    """Metrics whose weighted mean is the pseudo-label, with their weights; by default nine of structure."""
    judged: int = Field(0, ge=0)
    """References of the pool that are labelled and learnt from, where the judges are slow; 0: all."""
    stages: tuple[Stage, ...] = Field(min_length=1)

    @field_validator("judges")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            try:
                needs = measure(name).info.needs
            except UsageError as error:
                raise ValueError(str(error).removeprefix(f"{error.code} ")) from None
            if needs == "set":
                raise ValueError(f"{name} judges sets of images and not each image; take another metric")
        if value and not any(value.values()):
            raise ValueError("no judge counts; give one a weight above 0")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        for which, net in (("teacher", self.teacher), ("student", self.student)):
            if net is not None and net.aux is not None and net.aux not in ROLES[net.role]:
                allowed = " or ".join(ROLES[net.role])
                raise ValueError(f"the {which} has role {net.role}, whose aux is {allowed}, not {net.aux}")
        shared = self.teacher is not None and self.teacher.net == "student"
        for stage in self.stages:
            where = f"stage {stage.name}"
            needs = stage.train == "teacher" or any(t.distill or t.on == "teacher" for t in stage.terms)
            if needs and self.teacher is None:
                raise ValueError(f"{where} needs a teacher; add a table [teacher]")
            if stage.train == "teacher" and shared:
                raise ValueError(f"{where} trains a teacher that is the student itself; train the student")
            if any(t.on == "teacher" for t in stage.terms) and not shared:
                raise ValueError(f"{where} has a loss on the teacher, which does not learn there")
            if stage.data != "labelled" and not self.pool:
                raise ValueError(f"{where} wants the pool; say how many images with pool = 10000")
            if stage.share and (stage.data != "all" or not 0 < round(stage.share * stage.batch) < stage.batch):
                raise ValueError(f"{where} shares batches between data set and pool; write data = 'all' and batch = 32")
            if stage.labels == "teacher" and (shared or self.teacher is None or stage.train == "teacher"):
                raise ValueError(f"{where} learns a teacher's answers; add a table [teacher] and a stage for it")
            if stage.cached and stage.noise and self.views.noise and stage.train == "student":
                raise ValueError(f"{where} is cached, and noise needs pixels; write noise = false in it")
            if stage.cached and stage.crop:
                raise ValueError(f"{where} is cached, on crops of the views; drop crop in it")
            if stage.cached and stage.thaw:
                raise ValueError(f"{where} is cached and thaws what the features were made by; drop one of the two")
        if not self.crops and any(net.shown == "nar" for net in (self.teacher, self.student) if net is not None):
            raise ValueError("crops = 0 covers an image, and a picture beside it may need another number; write 5")
        if self.views.patches > (self.crops or 1):
            raise ValueError(f"{self.views.patches} patches need as many fixed crops; write crops = 10")
        names = [s.name for s in self.stages]
        if len(set(names)) != len(names):
            raise ValueError("two stages have the same name")
        return self

    @property
    def shared(self) -> bool:
        """Whether the teacher is the student itself, shown something else."""
        return self.teacher is not None and self.teacher.net == "student"

    @property
    def pooled(self) -> bool:
        """Whether a stage learns from the unlabelled pool."""
        return any(stage.data != "labelled" for stage in self.stages)

    @property
    def size(self) -> str:
        """``full`` or ``lite``, as the student's table says; empty for networks of others."""
        return "" if ":" in self.student.net else str(self.student.options.get("size", "lite"))

    @property
    def digest(self) -> str:
        return digest(self.document)

    @property
    def document(self) -> dict[str, Any]:
        """As JSON; reads back to the same recipe."""
        return json.loads(self.model_dump_json())


_SHIPPED = Path(__file__).with_name("recipes")


def names() -> list[str]:
    """Recipes that come with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def load(source: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by its name or from a file.

    Args:
        source: ``ysgan-lite``, or the path of a TOML file.
        changes: ``stages.0.epochs=2``: places in the file and what they become, as JSON or plain text.

    Raises:
        UsageError: one sentence per thing that is wrong.
    """
    path = Path(source)
    if path.suffix != ".toml":
        path = _SHIPPED / f"{source}.toml"
        if str(source) not in names():
            raise UsageError(
                f"there is no recipe {str(source)!r}; there are {', '.join(names())}, or give a .toml file",
                code="E-CFG",
            )
    document = toml_file.read(path, f"there is no recipe file {path}; check the path")
    for change in changes:
        _apply(document, change)
    return build(document, path.name)


def build(document: Mapping[str, Any], shown: str = "recipe") -> Recipe:
    """Validate a document.

    Raises:
        UsageError: one sentence.
    """
    return toml_file.validated(Recipe, document, shown, "recipe")


def _apply(document: dict[str, Any], change: str) -> None:
    place, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"{change!r}: write changes as place=value, e.g. stages.0.epochs=2", code="E-CFG")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    node: Any = document
    *inner, last = place.split(".")
    try:
        for part in inner:
            node = node[_number(part)] if isinstance(node, list) else node.setdefault(part, {})
        node[_number(last) if isinstance(node, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        raise UsageError(f"{change!r}: the recipe has no such place", code="E-CFG") from None


def _number(part: str) -> int:
    """A place in a list, counted from 0.

    Raises:
        ValueError: no such number; Python would count negative ones from the end.
    """
    if not part.isdecimal():
        raise ValueError(part)
    return int(part)
