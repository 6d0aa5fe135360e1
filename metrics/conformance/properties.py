"""The properties: each a small function that returns nothing, or raises ``Broken`` with one sentence.

``PROPERTIES`` at the end lists them with what they say, for whom, and what must hold before they can be checked.
"""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from ...bench import weights
from ...bench.errors import UsageError
from ...bench.protocols import ExtractorInfo, ItemMetric, MetricInfo, SetMetric
from ...bench.spec import Spec
from . import elsewhere, state, subjects
from .case import ORDINARY, Broken, Case, Skipped, line

if TYPE_CHECKING:
    from torch import Tensor

SOURCES = ("doi:10.", "arXiv:", "http://", "https://", "pages", "unpublished")
"""How a citation may say where a metric comes from."""
ROUNDING = {"float32": 1e-6, "float64": 1e-9}
"""Relative difference between processes that is rounding; within one process there may be none."""
PRECISION = {"float32": 2e-4, "float64": 0.05}
"""Relative difference between single and double precision. A metric that declares float64 needs it, for example
because it rounds to gray levels and the last bit moves a pixel by one."""
ELSEWHERE = 1e-3
"""Relative difference between devices that is their rounding: sums in another order, other exponentials."""
PICKLED = 10_000
"""Bytes of a pickled metric: its parameters, and no network."""
SHIFTS = (0.0, 0.5, 1.0, 2.0)
"""How far sets are moved apart, in standard deviations of each feature."""


# --------------------------------------------------------------------------------- description


def info(case: Case) -> None:
    about = getattr(case.factory, "info", None)
    if not isinstance(about, MetricInfo):
        raise Broken(f"its `info` is {type(about).__name__}; give it a class attribute `info = MetricInfo(...)`")
    if about.name != case.name:
        raise Broken(f"info.name is {about.name!r} and it is registered as {case.name!r}; give it one name")
    if not about.title.strip():
        raise Broken("info.title is empty; name it as a table should show it")
    _one_of("needs", about.needs, ("image", "pair", "set"))
    _one_of("better", about.better, ("higher", "lower"))
    _one_of("dtype", about.dtype, ("float32", "float64"))
    _one_of("role", about.role, ("quality", "control"))
    for name in ("version", "least"):
        value = getattr(about, name)
        if type(value) is not int or value < 1:
            raise Broken(f"info.{name} is {value!r}; give a whole number of at least 1")
    if not (len(about.bounds) == 2 and about.bounds[0] < about.bounds[1]):  # NaN is not below anything
        raise Broken(f"info.bounds are {about.bounds!r}; give (lowest, highest), with math.inf where there is no end")
    if not any(mark in about.cite for mark in SOURCES):
        raise Broken(
            f"info.cite is {about.cite!r}; name the paper with doi:10... or arXiv:..., or an address, "
            'or say "unpublished"'
        )
    if about.note and not about.note.endswith("."):
        raise Broken(f"info.note is {about.note!r}; make it a sentence that ends with a full stop")
    _check_weights(about)
    if about.needs == "set":
        _check_features(case)


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise Broken(f"info.{name} is {value!r}; choose {' or '.join(choices)}")


def _check_weights(about: MetricInfo) -> None:
    if about.weights and not about.license:
        raise Broken("it has weights and info.license is empty; say under which licence they come")
    if about.license and not about.weights:
        raise Broken(
            f"info.license is {about.license!r} and there are no weights; name their slots in info.weights, "
            "or leave the licence out"
        )
    unknown = [slot for slot in about.weights if slot not in weights.slots()]
    if unknown:
        raise Broken(f"info.weights names {unknown[0]!r}, which is no slot; see `ganiq weights list`")


def _check_features(case: Case) -> None:
    name = getattr(case.factory, "features", None)
    if not isinstance(name, str):
        raise Broken("it has no `features`; give it a class attribute with the name of its extractor")
    try:
        about = case.extractor(name).info
    except UsageError as error:
        raise Broken(f"its features cannot be had ({error}); name a registered extractor") from None
    if not isinstance(about, ExtractorInfo):
        raise Broken(f"the extractor {name!r} has no `info` of type ExtractorInfo; give it one")


def parameters(case: Case) -> None:
    try:
        metric = case.factory()
    except TypeError as error:
        raise Broken(f"it cannot be built without arguments ({line(error)}); give every parameter a default") from None
    try:
        metric.anything = 1
    except (AttributeError, TypeError):  # FrozenInstanceError is an AttributeError
        pass
    else:
        raise Broken("its attributes can be set; make it a dataclass(frozen=True): one identity, one set of parameters")
    spec = Spec.of(case.name, case.factory, {})
    for name, value in spec.params:
        if type(value) not in (str, int, float, bool):
            raise Broken(f"the default of {name} is {value!r}; parameters are plain text, numbers or booleans")
        if isinstance(value, float) and not math.isfinite(value):
            raise Broken(f"the default of {name} is {value!r}, which no command line can spell; choose a finite number")
    if Spec.parse(str(spec)) != spec:
        raise Broken(f"{spec} does not read back as itself; choose plainer defaults")
    if case.factory(**spec.arguments) != metric:
        raise Broken(
            "built twice with the same parameters it is not equal to itself; make it a dataclass, which compares them"
        )
    if is_dataclass(metric):
        hidden = {f.name for f in fields(metric)} - set(spec.arguments)
        if hidden:
            raise Broken(f"the field {min(hidden)} is no parameter of its constructor; make it one, or a constant")


def protocol(case: Case) -> None:
    shape = SetMetric if case.kind == "set" else ItemMetric
    if not isinstance(case.metric, shape):
        raise Broken(f"it does not satisfy bench.protocols.{shape.__name__}; give it `info` and `__call__`")
    calls: dict[str, tuple[int, ...]] = {"image": (1, 2), "pair": (2,), "set": (2,)}
    for count in calls[case.kind]:
        try:
            inspect.signature(case.metric).bind(*range(count))
        except TypeError as error:
            what = "(generated, real, /)" if case.kind == "set" else "(images, references=None, /)"
            raise Broken(f"it cannot be called with {count} tensors ({error}); define __call__{what}") from None


# --------------------------------------------------------------------------------- values


def answer(case: Case) -> None:
    if case.kind == "set":
        case.distance(*case.sets)
        return
    images, references = case.pair
    case.score(images, references)
    if case.score(images[:0], references[:0]):
        raise Broken("it answered no images with numbers; return an empty tensor")


def bounds(case: Case) -> None:
    if case.kind == "set":
        for shift in SHIFTS:
            near, real = case.sets
            _ordinary(case, case.distance(near + shift, real), f"two sets {shift:g} deviations apart")
        return
    images, references = case.pair
    height, width = images.shape[2:]
    for candidates, what in (
        (images, "a degraded photograph"),
        (1 - references[:1], "a negative"),
        (subjects.noise(height, width), "noise"),
    ):
        for value in case.score(candidates, references[: candidates.shape[0]]):
            _ordinary(case, value, what)


def _ordinary(case: Case, value: float, what: str) -> None:
    """Finite, and where it was promised to be."""
    if not math.isfinite(value):
        raise Broken(f"it gave {value} for {what}; ordinary input must have a finite value")
    if not case.in_bounds(value):
        raise Broken(f"it gave {value!r} for {what}, outside info.bounds {case.info.bounds}; correct one of them")


def identity(case: Case) -> None:
    _judges(case)
    sign = 1 if case.info.better == "higher" else -1
    if case.kind == "set":
        near, real = case.sets
        same, other = case.distance(real, real), case.distance(near + 1, real)
        if not sign * same >= sign * other:
            raise Broken(
                f"equal sets score {same!r} and sets one deviation apart {other!r}, and {case.info.better} is better; "
                "turn info.better round, or correct the formula"
            )
        return
    references = case.pair[1]
    height, width = references.shape[2:]
    same = case.score(references, references)
    if any(math.isnan(value) for value in same):
        raise Broken("identical photographs give NaN; give the best value")
    for kind in subjects.KINDS:
        # What cannot be seen may cost nothing; what is plain to see must.
        for level, strength in ((1, "slight"), (3, "strong")):
            damaged = case.score(subjects.degraded(kind, level, height, width), references)
            for best, value in zip(same, damaged, strict=True):
                if not sign * best >= sign * value or (level == 3 and best == value):
                    raise Broken(
                        f"a photograph against itself scores {best!r} and with {strength} {kind} {value!r}, and "
                        f"{case.info.better} is better; identical images must score best"
                    )


def direction(case: Case) -> None:
    _judges(case)
    sign = 1 if case.info.better == "higher" else -1
    if case.kind == "set":
        near, real = case.sets
        values = [case.distance(near + shift, real) for shift in SHIFTS]
        signed = [sign * value for value in values]
        if not (signed == sorted(signed, reverse=True) and signed[0] > signed[-1]):
            raise Broken(
                f"sets {', '.join(f'{s:g}' for s in SHIFTS)} deviations apart score {_listed(values)}, and "
                f"{case.info.better} is better; turn info.better round, or correct the formula"
            )
        return
    size = case.size(spare=False)
    references = subjects.photographs(*size)

    def mean(batch: Tensor) -> float:
        return math.fsum(case.score(batch, references)) / batch.shape[0]

    start = mean(references)
    for kind in subjects.KINDS:
        values = [start, *(mean(subjects.degraded(kind, level, *size)) for level in subjects.LEVELS)]
        if not all(sign * better > sign * worse for better, worse in pairwise(values)):
            raise Broken(
                f"growing {kind} scores {_listed(values)} on average, and {case.info.better} is better; turn "
                'info.better round, correct the formula, or say role="control" if it does not judge quality'
            )


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _judges(case: Case) -> None:
    if case.info.role == "control":
        raise Skipped("a control: it describes images and does not judge them")


# --------------------------------------------------------------------------------- independence


def batches(case: Case) -> None:
    images, references = case.pair
    together = case.score(images, references)
    alone = [
        value
        for i in range(images.shape[0])
        for value in case.score(images[i : i + 1].clone(), references[i : i + 1].clone())
    ]
    backwards = case.score(images.flip(0), references.flip(0))[::-1]
    for values, how in ((alone, "alone"), (backwards, "in a batch in another order")):
        _equal(together, values, f"in a batch and {how}", "score one image at a time, bit for bit the same")


def permutation(case: Case) -> None:
    import torch

    generated, real = case.sets
    first = case.distance(generated, real)
    for which in (0, 1):
        sets = [generated, real]
        rows = sets[which]
        order = torch.randperm(rows.shape[0], generator=torch.Generator().manual_seed(1 + which))
        sets[which] = rows[order]
        value = case.distance(*sets)
        # Sums in another order differ by rounding, and a distance is what is left of large sums.
        if not _close(first, value, 1e-5, 1e-6):
            name = ("generated", "real")[which]
            raise Broken(f"with the {name} images in another order {first!r} becomes {value!r}; sets have no order")


def determinism(case: Case) -> None:
    inputs = case.inputs
    first = case.call(tuple(part.clone() for part in inputs))
    # The very tensors again and again: a metric may remember what it made of them.
    for metric, how in ((None, "called twice"), (None, "called three times"), (case.factory(), "built anew")):
        _equal(first, case.call(inputs, metric), how, "derive all randomness from a parameter `seed`")


def reused_buffers(case: Case) -> None:
    expected, buffers = _refilled(case)
    _equal(
        expected,
        case.call(buffers),
        "for the same content in a new tensor and in one that held something else before",
        "remember nothing by id() or address alone",
    )


def _refilled(case: Case) -> tuple[list[float], tuple[Tensor, ...]]:
    """The values of some input, and tensors that hold it now and were scored with other content before."""
    if case.kind == "set":
        later = case.sets
        buffers = (later[0] + 1, later[1] * 2)
    else:
        take = slice(2 if case.kind == "pair" else 1)
        later = tuple(batch[1:2].clone() for batch in case.pair)[take]
        buffers = tuple(batch[:1].clone() for batch in case.pair)[take]
    expected = case.call(tuple(part.clone() for part in later))
    case.call(buffers)
    for buffer, content in zip(buffers, later, strict=True):
        buffer.copy_(content)
    return expected, buffers


def fresh_process(case: Case) -> None:
    _compare(case, case.factory, build=True)


def pickling(case: Case) -> None:
    first = len(_pickled(case.factory()))
    case.call(case.inputs)
    data = _pickled(case.metric)
    if len(data) > PICKLED:
        raise Broken(
            f"pickled {'after use ' if first <= PICKLED else ''}it has {len(data):,} bytes; keep networks and tables "
            "outside of it, in a cached function of the module"
        )
    if pickle.loads(data) != case.metric:
        raise Broken("unpickled it is not equal to itself; make it a dataclass of plain parameters")
    _compare(case, case.metric, build=False)


def _pickled(thing: object) -> bytes:
    try:
        return pickle.dumps(thing)
    except Exception as error:  # whatever its __reduce__ raises
        raise Broken(
            f"it cannot be pickled ({line(error)}); define it at the top of a module, with plain parameters"
        ) from None


def _ask(case: Case, thing: object, *, build: bool) -> tuple[list[float], list[float], tuple[str, ...]]:
    """Values here, values in the other process, and the random states it touched there."""
    inputs = case.inputs
    count = None if case.kind == "set" else inputs[0].shape[0]
    reply = elsewhere.ask(_pickled(thing), build=build, inputs=inputs, count=count)
    return case.call(inputs), list(reply.values), reply.touched


def _compare(case: Case, thing: object, *, build: bool) -> None:
    _trained(case)
    here, there, _ = _ask(case, thing, build=build)
    rounding = ROUNDING[case.info.dtype]
    if not all(_close(a, b, rounding, 1e-12) for a, b in zip(here, there, strict=True)):
        raise Broken(
            f"it gave {_plain(here)} here and {_plain(there)} in a fresh process; let nothing but parameters and "
            "images decide: no global state, no hash() of text, no address, no clock"
        )


def _trained(case: Case) -> None:
    """The other process has no stand-ins for weights."""
    if case.missing:
        raise Skipped(needs(case))


def needs(case: Case) -> str:
    """The sentence for weights that are missing."""
    return f"needs weights: `{weights.command_for(case.missing)}`"


# --------------------------------------------------------------------------------- manners


def global_random(case: Case) -> None:
    advice = "use a generator of its own (torch.Generator, numpy.random.default_rng) with a fixed seed"
    inputs = case.inputs
    with state.peculiar_random():
        before = state.random_states()
        case.call(inputs, case.factory())
        touched = state.changed(before, state.random_states())
    if touched:
        raise Broken(f"it changes the global random state of {' and '.join(touched)}; {advice}")
    if case.missing:
        return
    try:
        touched = _ask(case, case.factory, build=True)[2]  # where everything is built for the first time
    except Broken:  # fresh-process will say so
        return
    if touched:
        raise Broken(f"its first use in a process changes the global random state of {' and '.join(touched)}; {advice}")


def inputs_unchanged(case: Case) -> None:
    import torch

    given = case.inputs
    kept = tuple(part.clone() for part in given)
    case.call(given)
    names = ("generated features", "real features") if case.kind == "set" else ("images", "references")
    for name, now, before in zip(names, given, kept):
        if not torch.equal(now, before):
            raise Broken(f"it changed its {name} in place; other metrics get the same tensor: work on a copy")


def settings_left_alone(case: Case) -> None:
    with state.peculiar_threads():
        before = state.pools()
        case.call(case.inputs, case.factory())
        touched = [*case.touched, *state.changed(before, state.pools())]
    if touched:
        raise Broken(f"it changed {touched[0]}; leave the process as it was: the harness shares out the cores")


def precision(case: Case) -> None:
    import torch

    single = case.inputs[0].dtype == torch.float32
    usual, other = ("float32", "float64") if single else ("float64", "float32")
    first = case.call(case.inputs)
    try:
        second = case.call(tuple(part.to(getattr(torch, other)) for part in case.inputs))
    except (TypeError, ValueError):
        return  # refused, and told so
    except RuntimeError as error:
        raise Broken(
            f"{other} images make it fail ({line(error)}); convert them, or refuse them with a TypeError"
        ) from None
    if not all(_close(a, b, PRECISION[case.info.dtype], 1e-6) for a, b in zip(first, second, strict=True)):
        advice = "compute in float64" + (", and declare it" if case.info.dtype == "float32" else "")
        raise Broken(f"it gave {_plain(first)} for {usual} images and {_plain(second)} for {other}; {advice}")


def device(case: Case) -> None:
    given = case.inputs if case.kind == "set" else tuple(batch[:2].clone() for batch in case.pair)
    given = given[:1] if case.kind == "image" else given
    here = case.call(given)
    try:
        there = case.call(tuple(part.to(case.device) for part in given))
    except Broken:
        raise
    except Exception as error:
        raise Broken(
            f"on {case.device} it ends in {line(error)}; make constants on the images' device, and call .cpu() "
            "where NumPy is needed"
        ) from error
    if not all(_close(a, b, ELSEWHERE, 1e-6) for a, b in zip(here, there, strict=True)):
        raise Broken(f"it gave {_plain(here)} on the CPU and {_plain(there)} on {case.device}; compute the same there")


# --------------------------------------------------------------------------------- sizes and odd content


def odd_sizes(case: Case) -> None:
    least = case.least
    for taller, wider in ((0, 13), (1, 6), (7, 0)):
        height, width = least + taller, least + wider
        images, references = subjects.texture(height, width, taller + wider)
        for value in _tried(case, images, references, f"{width}x{height} pixels"):
            _ordinary(case, value, f"{width}x{height} pixels")


def least_size(case: Case) -> None:
    least = case.least
    for value in _tried(case, *subjects.texture(least, least, 0), f"{least}x{least} pixels, its least side"):
        _ordinary(case, value, f"{least}x{least} pixels, its least side")
    if least == 1:
        return
    for height, width in ((least - 1, least + 40), (least + 40, least - 1), (1, 1)):
        what = f"{width}x{height} pixels, below its least side of {least},"
        try:
            case.score(*subjects.texture(height, width, 0))
        except ValueError as error:
            if str(least) not in str(error):
                raise Broken(f"{what} are refused with {line(error)!r}; say that {least} pixels are needed") from None
        except Exception as error:
            if isinstance(error, Broken):
                raise
            raise Broken(f"{what} end in {line(error)}; raise a ValueError that names {least}, or score them") from None


def flat_images(case: Case) -> None:
    side = max(case.least, 48)
    tried = [
        (
            subjects.flat(first, side, side + 3),
            subjects.flat(second, side, side + 3),
            f"flat images of {first} and {second}",
        )
        for first, second in ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0))
    ]
    references = case.pair[1][:1]
    black = subjects.flat(0.0, *references.shape[2:])
    tried += [
        (references, references, "identical photographs"),
        (black, references, "black against a photograph"),
        (references, black, "a photograph against black"),
    ]
    for images, others, what in tried[: None if case.kind == "pair" else -1]:
        for value in _tried(case, images, others, what):
            if not (math.isnan(value) or case.in_bounds(value)):
                raise Broken(
                    f"it gave {value!r} for {what}, outside info.bounds {case.info.bounds}; give a value or NaN"
                )


def gray_images(case: Case) -> None:
    images, references = (subjects.gray(batch[:1]) for batch in case.pair)
    for value in _tried(case, images, references, "a gray photograph in three equal channels"):
        _ordinary(case, value, "a gray photograph in three equal channels")


def _tried(case: Case, images: Tensor, references: Tensor, what: str) -> list[float]:
    try:
        return case.score(images, references)
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{what} end in {line(error)}; give a value, or NaN where the formula has none") from error


def few_images(case: Case) -> None:
    generated, real = case.sets
    for first, second, what in (
        (generated[:0], real, "no generated image"),
        (generated, real[:0], "no real image"),
        (generated[:1], real, "one generated image"),
        (generated, real[:1], "one real image"),
    ):
        try:
            value = case.distance(first, second)
        except ValueError as error:
            if not any(letter.isdigit() for letter in str(error)):
                raise Broken(f"{what}: refused with {line(error)!r}; say how many are needed") from None
        except Exception as error:
            if isinstance(error, Broken):
                raise
            raise Broken(f"{what}: ends in {line(error)}; raise a ValueError that says how many are needed") from None
        else:
            if first.shape[0] == 0 or second.shape[0] == 0 or not (math.isfinite(value) and case.in_bounds(value)):
                raise Broken(f"{what}: it gave {value!r}; raise a ValueError that says how many are needed")


def flat_sets(case: Case) -> None:
    generated, real = case.sets
    same = generated[:1].expand_as(generated).contiguous()
    for first, second, what in (
        (same, real, "a generator that makes one image only"),
        (same, same, "two sets of one image only"),
    ):
        try:
            value = case.distance(first, second)
        except ValueError:
            continue
        except Exception as error:
            if isinstance(error, Broken):
                raise
            raise Broken(f"{what} ends in {line(error)}; give a value, NaN or a ValueError") from None
        if not (math.isnan(value) or case.in_bounds(value)):
            raise Broken(f"it gave {value!r} for {what}, outside info.bounds {case.info.bounds}; give a value or NaN")


# --------------------------------------------------------------------------------- comparing


def _equal(first: list[float], second: list[float], how: str, advice: str) -> None:
    """Bit for bit, NaN equal to NaN."""
    if len(first) != len(second) or not all(a == b or (a != a and b != b) for a, b in zip(first, second)):
        raise Broken(f"{how} it gave {_plain(first)} and {_plain(second)}; {advice}")


def _close(first: float, second: float, relative: float, absolute: float) -> bool:
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return math.isclose(first, second, rel_tol=relative, abs_tol=absolute)


def _plain(values: list[float]) -> str:
    return repr(values[0]) if len(values) == 1 else repr(values)


# --------------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Property:
    """One thing a metric must satisfy."""

    name: str
    what: str
    """One line for a table."""
    check: Callable[[Case], None]
    kinds: tuple[str, ...] = ("image", "pair", "set")
    weights: Literal["none", "any", "trained"] = "any"
    """``none``: holds or not without calling it; ``any``: calls it; ``trained``: depends on the weights' values."""
    after: tuple[str, ...] = ("info", "parameters", "protocol", "answer")
    """Properties without which it cannot be checked."""


_ITEM = ("image", "pair")

PROPERTIES: tuple[Property, ...] = (
    Property("info", "info is complete and true", info, weights="none", after=()),
    Property(
        "parameters", "parameters are plain, have defaults and are fixed", parameters, weights="none", after=("info",)
    ),
    Property(
        "protocol", "can be called as the harness calls it", protocol, weights="none", after=("info", "parameters")
    ),
    Property(
        "answer", "one real number per image, or one per pair of sets", answer, after=("info", "parameters", "protocol")
    ),
    Property("bounds", "ordinary input gives finite values in the declared bounds", bounds),
    Property("identity", "nothing scores better than the original itself", identity, ("pair", "set"), "trained"),
    Property("direction", "more damage scores worse, step by step", direction, weights="trained"),
    Property("batches", "neither batch size nor order changes a bit", batches, _ITEM),
    Property("permutation", "sets have no order", permutation, ("set",)),
    Property("determinism", "the same input gives the same bits", determinism),
    Property("reused-buffers", "a tensor that is filled anew is scored anew", reused_buffers),
    Property("global-random", "global random states are neither used nor set", global_random),
    Property("fresh-process", "built in a fresh process it gives the same number", fresh_process, weights="trained"),
    Property("pickling", "pickled small and sent to a worker it gives the same number", pickling),
    Property("inputs-unchanged", "inputs are not changed in place", inputs_unchanged),
    Property("settings", "threads and settings of the process are left alone", settings_left_alone),
    Property("precision", "the declared precision is enough", precision),
    Property("device", "another device gives the same numbers, and they lie there", device),
    Property("odd-sizes", "odd sides and shapes that are not square have a value", odd_sizes, _ITEM),
    Property("least", "scores at its least side, and is clear about anything smaller", least_size, _ITEM),
    Property("flat-images", "flat and identical images give a number or NaN", flat_images, _ITEM),
    Property("gray-images", "gray photographs have a value", gray_images, _ITEM),
    Property("few-images", "sets that are too small are refused with a number", few_images, ("set",)),
    Property("flat-sets", "sets of one image over and over give a number or NaN", flat_sets, ("set",)),
)
"""In the order they are checked: what describes it first, then what calls it."""

assert ORDINARY[0] % 2 == 0 and ORDINARY[1] % 2, "one side even and one odd"
