"""Every stage's loss once, on two images made up for it, before the first step of the first: what a recipe asks for
and its networks do not say is found at once, and not after hours of an earlier stage.

Nothing is learnt, no data are needed, and no random number of the training is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..errors import Refusal, UsageError
from . import cache, optim, seam
from .objective import Objective
from .parallel import World
from .recipe import Net, Recipe, Stage

IMAGES = 2
_WRONG = (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError)


def rehearse(recipe: Recipe, *, taught: bool = False) -> None:
    """Try the stages of a recipe with networks of its own.

    Args:
        recipe: all of it.
        taught: the teacher is given, and its stages are left out.

    Raises:
        UsageError: the first thing that does not fit.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        student = seam.network(recipe.student.options)
        own = None if recipe.teacher is None or recipe.shared else recipe.teacher
        teacher = None if own is None else seam.network(own.options)
    stages = [stage for stage in recipe.stages if stage.train != "teacher" or not taught]
    networks = [network for network in (teacher, student) if network is not None]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for stage in stages:
            learner = teacher if stage.train == "teacher" else student
            optim.thaw(learner, stage.thaw)
            for network in networks:
                network.eval()
            with optim.held(learner, stage.freeze):
                _try(recipe, stage, teacher, student)


def _try(recipe: Recipe, stage: Stage, teacher: Any, student: Any) -> None:
    import torch

    learner, net = (teacher, recipe.teacher) if stage.train == "teacher" else (student, recipe.student)
    assert net is not None
    asked = any(t.distill or t.on == "teacher" for t in stage.terms)
    other = student if teacher is None else teacher
    if stage.cached:
        for network in (learner, *([other] if asked else [])):
            cache.trunk_of(network)
    with _told(f"stage {stage.name}"):
        views = _views(recipe, stage, net, learner)
        said = learner(views)
        told = None
        if asked and recipe.teacher is not None:
            told = other(_views(recipe, stage, recipe.teacher, other))
    modules = []
    for term in stage.terms:
        with _told(f"stage {stage.name}, {term.name}"):
            alone = stage.model_copy(update={"terms": (term,)})
            objective = Objective.of(alone, other, student, None, None, World(), "cpu")
            objective(told, said, views, 0, 1)
            modules += objective.modules
    optim.optimizer(learner, torch.nn.ModuleList(modules), stage)


def _views(recipe: Recipe, stage: Stage, net: Net, network: Any) -> Any:
    """Two images of one reference, and what the network is shown beside them."""
    import torch

    side = stage.crop or recipe.views.crop
    stream = torch.Generator().manual_seed(recipe.seed)
    shape = (IMAGES, recipe.views.patches, 3, side, side)
    shown = [torch.rand(shape, generator=stream) for _ in range(1 + (net.shown != "none"))]
    stored: list[Any] = [None, None]
    if stage.cached:
        taken = [network.extract(images.flatten(0, 1)) for images in shown]
        stored = [*([tap.unflatten(0, shape[:2]) for tap in taps] for taps in taken), None]
    yes = torch.ones(IMAGES, dtype=torch.bool)
    return seam.views(
        x=None if stage.cached else shown[0],
        aux=None if stage.cached or len(shown) == 1 else shown[1],
        y=torch.linspace(0.25, 0.75, IMAGES),
        y_std=torch.zeros(IMAGES),
        labelled=yes,
        ids=[{"dataset": "", "ref": "", "algo": str(n), "image": str(n)} for n in range(IMAGES)],
        people=yes,
        features=stored[0],
        aux_features=stored[1],
    )


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """What a network, a loss or a distiller complains of is a fault of the recipe.

    Raises:
        UsageError: it complained.
    """
    import torch

    try:
        yield
    except (Refusal, torch.OutOfMemoryError):
        raise
    except UsageError as error:
        raise UsageError(f"{where}: {str(error).removeprefix(error.code).strip()}", code=error.code) from None
    except _WRONG as error:
        text = str(error.args[0] if error.args else error).partition("\n")[0]
        kind = "" if isinstance(error, KeyError | ValueError) else f" ({type(error).__name__})"
        advice = "" if isinstance(error, ValueError) and ";" in text else "; correct the recipe"
        raise UsageError(f"{where}: {text}{kind}{advice}", code="E-CFG") from error
