"""Networks, distillers and losses by name: what recipes are written in.

A network is a table: ``net``, ``size`` (full or lite), ``role``, and whatever of the size's values is to differ, down
to ``pretrained = false`` for random parameters (counts, trials of the machinery; nothing trained on them is published).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .losses import LOSSES, Loss

if TYPE_CHECKING:
    from torch.nn import Module

PLAIN = ("slkd", "hintkd", "reviewkd", "milo")
"""Recipes whose student is the plain one; they differ in how it is taught."""
ALIASES = {**dict.fromkeys(PLAIN, "plain"), "mixer": "akd"}

_FULL_YSGAN = {
    "tap": 64,
    "side": 21,
    "cap": 21,
    "heads": 6,
    "window": 7,
    "kernels": (7, 7, 5, 5, 3, 3),
    "ffn": 1024,
    "jnd_edges": True,
}
_LITE_YSGAN = {"tap": 32, "side": 12, "heads": 4, "window": 6, "ffn": 512}
_FULL_MIXER = {"width": 64, "side": 7, "patches": 10, "cap": 7}
_LITE_MIXER = {"width": 32, "side": 6, "patches": 4, "cap": 12, "backbone": "lite2"}

SIZES: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("ysgan", "full"): {
        "FR": {"backbone": "irnv2", **_FULL_YSGAN},
        "NR": {"backbone": "mobilenetv3", **_LITE_YSGAN, "ffn": 1024, "jnd_edges": True},
    },
    ("ysgan", "lite"): {"FR": {"backbone": "lite2", **_LITE_YSGAN}, "NR": {"backbone": "lite0", **_LITE_YSGAN}},
    ("iqt", "full"): {"FR": {}},
    ("iqt-standard", "full"): {"FR": {"side": 29, "dim": 256, "layers": 2, "hidden": 512}},
    ("plain", "full"): {"NR": {"backbone": "mobilenetv3"}},
    ("plain", "lite"): {"NR": {"backbone": "lite0"}},
    ("akd", "full"): {
        "FR": {"backbone": "swint", "depth": (36, 18), "dim": 64, **_FULL_MIXER},
        "PR": {"backbone": "swint", "depth": (18, 9), "dim": 64, **_FULL_MIXER},
    },
    ("akd", "lite"): {
        "FR": {"depth": (12, 6), "dim": 32, **_LITE_MIXER},
        "PR": {"depth": (6, 3), "dim": 32, **_LITE_MIXER},
    },
    ("cvrkd", "full"): {
        role: {"backbone": "resnet50", "depth": (18, 9), "dim": 256, **_FULL_MIXER} for role in ("FR", "NAR")
    },
    ("cvrkd", "lite"): {role: {"depth": (6, 3), "dim": 128, **_LITE_MIXER} for role in ("FR", "NAR")},
    ("ckdn", "full"): {"DR": {}},
    ("ckdn", "lite"): {"DR": {"hidden": (128,)}},
}
"""Values of each network, size and role."""


def network(spec: Mapping[str, Any], *, blank: bool = False) -> Module:
    """A network by its table.

    Its backbone has its published weights (unless ``pretrained`` is false); everything else starts at random, from
    torch's generator as it stands.

    Args:
        spec: the table.
        blank: leave out published weights that a state, loaded a moment later, replaces. What no state holds
            (``borrowed``) is as the table says.

    Raises:
        ValueError: an unknown network, size, role or option.
        MissingWeights: the backbone's slot is empty.
    """
    from . import ckdn_net, iqt_net, mixer_net, slkd_net, ysgan_net

    classes: dict[str, Callable[..., Module]] = {
        "ysgan": ysgan_net.Ysgan,
        "iqt": iqt_net.Iqt,
        "iqt-standard": iqt_net.Iqt,
        "plain": slkd_net.Plain,
        "akd": mixer_net.Akd,
        "cvrkd": mixer_net.Cvrkd,
        "ckdn": ckdn_net.Ckdn,
    }
    options = dict(spec)
    asked = options.pop("net", None)
    name, size = ALIASES.get(str(asked), str(asked)), str(options.pop("size", "lite"))
    if name not in classes:
        raise ValueError(f"there is no network {asked!r}; choose one of {', '.join([*classes, *ALIASES])}")
    if (name, size) not in SIZES:
        sizes = ", ".join(s for n, s in SIZES if n == name)
        raise ValueError(f"the network {asked} has no size {size!r}; choose {sizes}")
    roles = SIZES[name, size]
    role = str(options.pop("role", next(iter(roles))))
    if role not in roles:
        raise ValueError(f"the network {asked} has no role {role!r}; choose {' or '.join(roles)}")
    values = {**roles[role], **options}
    if blank:
        if values.get("branch"):
            values.setdefault("branch_pretrained", values.get("pretrained", True))
        values["pretrained"] = False
    for key in ("depth", "kernels", "hidden", "branch_taps"):
        if isinstance(values.get(key), list):
            values[key] = tuple(values[key])
    if name == "ckdn":
        values["size"] = size
    _known(classes[name], values, f"the network {asked}")
    return classes[name](role=role, **values)


def distiller(name: str, teacher: Any, student: Any, options: Mapping[str, Any] | None = None) -> Module:
    """A distiller for two networks, with its adapters made.

    Raises:
        ValueError: an unknown distiller or option, or networks that it cannot compare.
    """
    from . import chain_net, distillers_net, review_net

    classes: dict[str, Callable[..., Module]] = {
        "score": distillers_net.Score,
        "dist": distillers_net.Dist,
        "hint": distillers_net.Hint,
        "token": distillers_net.Token,
        "chain": chain_net.Chain,
        "adaptive": chain_net.Adaptive,
        "review": review_net.Review,
        "attention": review_net.Attention,
        "relation": distillers_net.Relation,
        "cond": distillers_net.Cond,
        "consistency": distillers_net.Consistency,
    }
    if name not in classes:
        raise ValueError(f"there is no distiller {name!r}; choose one of {', '.join(classes)}")
    options = dict(options or {})
    _known(classes[name], options, f"the distiller {name}")
    return classes[name](teacher, student, **options)


def loss(name: str, **options: Any) -> Loss:
    """A loss on labels: (trace, views) -> (values per sample, mask), or (scalar, None).

    Raises:
        ValueError: an unknown loss or option.
    """
    if name not in LOSSES:
        raise ValueError(f"there is no loss {name!r}; choose one of {', '.join(LOSSES)}")
    _known(LOSSES[name], options, f"the loss {name}")
    return LOSSES[name](**options)


def parameters(module: Module) -> dict[str, int]:
    """How many numbers a module holds: ``trainable`` and ``frozen``, without running statistics.

    A second backbone counts as frozen, though no state holds it.
    """
    counts = {"trainable": 0, "frozen": getattr(getattr(module, "branch", None), "held_parameters", 0)}
    for value in module.parameters():
        counts["trainable" if value.requires_grad else "frozen"] += value.numel()
    return counts


def _known(made_by: Callable[..., Any], options: Mapping[str, Any], what: str) -> None:
    """
    Raises:
        ValueError: an option that the constructor does not have, or a value of another kind than it takes.
    """
    import inspect

    parameters = inspect.signature(made_by).parameters
    taken = [name for name in parameters if name not in ("teacher", "student", "role")]
    for key, value in options.items():
        if key not in taken:
            raise ValueError(f"{what} has no option {key!r}; it has {', '.join(taken) or 'none'}")
        kinds = str(parameters[key].annotation).split(" | ")
        if not all(kind in _KINDS for kind in kinds):
            continue
        fitting = [kind for kind in kinds if isinstance(value, _KINDS[kind][0])]
        # To Python, true is a number.
        if not fitting or (isinstance(value, bool) and "bool" not in kinds):
            raise ValueError(f"{what}: {key} is {value!r}; give {' or '.join(_KINDS[kind][1] for kind in kinds)}")
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise ValueError(f"{what}: {key} is {value!r}; give 0 or more")


_KINDS: dict[str, tuple[Any, str]] = {
    "int": (int, "a whole number"),
    "float": (int | float, "a number"),
    "bool": (bool, "true or false"),
    "str": (str, "a word"),
    "None": (type(None), "nothing"),
}
"""Annotations of options that a recipe's values are held against."""
