"""Networks of the user's from files of weights: known ones, odd ones, and hostile ones."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from ganiq.bench import registry, vision, weights
from ganiq.bench.errors import Refusal, UsageError
from ganiq.bench.protocols import Restorer
from ganiq.bench.spec import Spec
from ganiq.bench.weights import tensors_from
from ganiq.generators import ncnn
from ganiq.generators.base import restore
from ganiq.generators.checkpoint import Checkpoint
from ganiq.generators.degrade import apply
from ganiq.generators.photographs import PHOTOGRAPHS
from ganiq.generators.realesrgan import RealESRGAN, RealESRGANVideo, compact_state, rrdb_state
from ganiq.generators.running import Unusable
from safetensors.torch import save, save_file

# Found, not imported: spandrel needs torchvision, which only our own loader imports safely.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("spandrel") is None, reason="the extra `restorers`")

State = dict[str, torch.Tensor]


def architecture(name: str) -> Any:
    return vision.load(f"spandrel.architectures.{name}")


def built(make: Callable[[], torch.nn.Module]) -> State:
    """Random parameters: enough to see that a network is recognised and run as it should."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {key: value.contiguous().clone() for key, value in make().state_dict().items()}


def compact(channels: int = 3, scale: int = 2) -> State:
    net = architecture("Compact").Compact
    return built(lambda: net(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale))


def video() -> State:
    """The weights of a real network, if they are at hand."""
    slot = "realesrgan/animevideov3"
    if not weights.present(slot):
        pytest.skip(f"weights not installed: {slot}")
    return {k: torch.from_numpy(v) for k, v in compact_state(ncnn.load(slot, f"{slot}-graph"), slot).items()}


@pytest.fixture
def small() -> np.ndarray:
    chelsea = next(p for p in PHOTOGRAPHS if p.name == "chelsea")
    return apply("down(factor=4)", chelsea.crop(288)[60:188, 40:168].copy(), key="photo")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_file(compact(), path)
    return path


# ---------------------------------------------------------------------------------------------- good ones


def test_the_weights_of_a_built_in_network_give_the_same_bytes(tmp_path: Path, small: np.ndarray) -> None:
    state = video()
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"params_ema": {f"module.{k}": v for k, v in state.items()}, "iter": 3}, tmp_path / "b.pth")
    expected = restore(RealESRGANVideo(), small)
    for name in ("a.safetensors", "b.pth"):
        np.testing.assert_array_equal(restore(Checkpoint(path=str(tmp_path / name)), small), expected)


@pytest.mark.parametrize(
    ("name", "make", "scale"),
    [
        ("ESRGAN", lambda m: m.ESRGAN(num_filters=16, num_blocks=1, scale=4), 4),
        ("ESRGAN", lambda m: m.ESRGAN(num_filters=16, num_blocks=2, scale=2), 2),
        ("Compact", lambda m: m.Compact(num_feat=8, num_conv=2, upscale=3), 3),
        ("SPAN", lambda m: m.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=12, upscale=2), 2),
        (
            "SwinIR",
            lambda m: m.SwinIR(
                upscale=2, img_size=16, window_size=8, depths=[2], num_heads=[2], embed_dim=12, mlp_ratio=2,
                upsampler="pixelshuffledirect",
            ),
            2,
        ),
        (
            "HAT",
            lambda m: m.HAT(
                img_size=16, window_size=16, depths=[2], num_heads=[2], embed_dim=96, mlp_ratio=2, upscale=4,
                upsampler="pixelshuffle",
            ),
            4,
        ),
        ("NAFNet", lambda m: m.NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]), 1),
        ("DnCNN", lambda m: m.DnCNN(in_nc=3, out_nc=3, nc=16, nb=20, act_mode="R"), 1),
        ("SCUNet", lambda m: m.SCUNet(in_nc=3, config=[1] * 7, dim=64), 1),
    ],
)  # fmt: skip
def test_architectures_are_recognised_and_odd_sizes_run(
    tmp_path: Path, name: str, make: Callable[[Any], torch.nn.Module], scale: int
) -> None:
    path = tmp_path / "net.safetensors"
    module = architecture(name)
    save_file(built(lambda: make(module)), path)
    state = torch.get_rng_state()
    net = Checkpoint(path=str(path))
    assert net.identity["architecture"] == name
    assert net.info.scale == net.network.scale == scale
    for height, width in ((5, 9), (16, 16), (33, 50)):
        image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))
        done = net(image)
        assert done.shape == (3, height * scale, width * scale)
        assert 0 <= done.min() <= done.max() <= 1
        assert torch.equal(done, net(image))
    assert torch.equal(torch.get_rng_state(), state), "building and running drew no global random numbers"
    tiled = Checkpoint(path=str(path), tile=16, overlap=16)(image)
    assert tiled.shape == done.shape


@pytest.mark.slow
def test_a_restorer_of_faces_gets_images_of_its_one_size(tmp_path: Path) -> None:
    """GFPGAN, 87 million parameters, made for faces of 512 pixels: smaller images are padded, larger ones cut."""
    save_file(built(lambda: architecture("GFPGAN").GFPGAN(fix_decoder=False)), tmp_path / "faces.safetensors")
    net = Checkpoint(path=str(tmp_path / "faces.safetensors"))
    assert net.identity["architecture"] == "GFPGAN"
    assert net.network.sizes.fixed == (512, 512)
    for height, width in ((300, 420), (512, 512), (530, 600)):
        image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))
        done = net(image)
        assert done.shape == image.shape
        assert 0 <= done.min() <= done.max() <= 1


def test_a_network_for_grey_images(tmp_path: Path) -> None:
    save_file(compact(channels=1), tmp_path / "grey.safetensors")
    net = Checkpoint(path=str(tmp_path / "grey.safetensors"))
    image = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(1))
    done = net(image)
    assert done.shape == (3, 40, 48)
    swapped = net(image.flip(0))
    torch.testing.assert_close(swapped, done.flip(0))


def test_parameters_in_half_precision_are_computed_with_in_float32(tmp_path: Path) -> None:
    state = compact()
    save_file({k: v.half() for k, v in state.items()}, tmp_path / "half.safetensors")
    save_file({k: v.half().float() for k, v in state.items()}, tmp_path / "full.safetensors")
    half, full = (Checkpoint(path=str(tmp_path / f"{n}.safetensors")) for n in ("half", "full"))
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert {p.dtype for p in half.network.call.model.parameters()} == {torch.float32}  # type: ignore[attr-defined]
    assert torch.equal(half(image), full(image))
    assert half.network.size * 2 == full.network.size


def test_from_its_text_to_pixels(file: Path, small: np.ndarray) -> None:
    spec = Spec.parse(f"checkpoint(path={str(file)!r}, tile=16)")
    factory = registry.generators.get(spec.name)
    assert Spec.parse(str(Spec.of(spec.name, factory, spec.arguments))).arguments["overlap"] == 32
    one = factory(**spec.arguments)
    form: object = one
    assert isinstance(form, Restorer)
    sha256 = weights.find.hash_of(file)
    assert one.info.name == f"net@{sha256[:8]}"
    assert one.info.title == "RealESRGAN Compact network in net.safetensors"
    assert one.identity == {"sha256": sha256, "architecture": "Compact", "device": "cpu"}
    assert restore(one, small).shape == (64, 64, 3)
    with pytest.raises(UsageError, match="missing a required argument: 'path'"):
        Spec.of("checkpoint", factory, {})
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_hash_that_is_asked_for_is_insisted_on(file: Path) -> None:
    sha256 = weights.find.hash_of(file)
    assert Checkpoint(path=str(file), sha256=sha256).info.scale == 2
    with pytest.raises(weights.BadWeights, match=f"E-CKPT-HASH net.safetensors: .*{sha256}"):
        Checkpoint(path=str(file), sha256="0" * 64).network
    for wrong in ("abc", sha256.upper()):
        with pytest.raises(UsageError, match="64 hexadecimal"):
            Checkpoint(path=str(file), sha256=wrong)
    with pytest.raises(UsageError, match="device"):
        Checkpoint(path=str(file), device="tpu")


def test_a_file_that_changes_is_loaded_anew(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(compact(scale=2), path)
    first = Checkpoint(path=str(path))
    assert first.info.scale == 2
    path.unlink()
    save_file(compact(scale=4), path)
    assert Checkpoint(path=str(path)).info.scale == 4
    assert first.info.scale == 2, "what was loaded stays what it was"


def test_without_spandrel_one_sentence_says_what_to_install(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("ganiq.generators.checkpoint.load_with_torchvision", absent)
    with pytest.raises(Unusable, match=r"E-GEN-PACKAGE .*spandrel.*pip install 'ganiq\[restorers\]'"):
        Checkpoint(path=str(file), overlap=31).network


# -------------------------------------------------------------------------------------------- hostile ones


class Payload:
    """What it does when unpickled would be seen: it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def torch_bytes(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def tar_bytes(canary: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        content = pickle.dumps(Payload(canary))
        entry = tarfile.TarInfo("pickle")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def script_bytes() -> bytes:
    buffer = io.BytesIO()
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 3, 3)), buffer)
    return buffer.getvalue()


def wrong_shapes() -> State:
    state = compact()
    state["body.2.weight"] = torch.zeros(8, 9, 3, 3)
    return state


def poisoned() -> State:
    state = compact()
    state["body.2.weight"][0, 0, 0, 0] = float("nan")
    return state


def too_deep() -> State:
    module = architecture("ESRGAN")
    state = built(lambda: module.ESRGAN(num_filters=8, num_blocks=1))
    block = {k: v for k, v in state.items() if "rdb1" in k.lower()}
    assert block
    return state | {k.replace(".0.", ".2000000000.", 1): v.clone() for k, v in block.items()}


def lying_header(length: int) -> bytes:
    return length.to_bytes(8, "little") + save(compact())[8:]


HOSTILE: dict[str, tuple[str, str, Callable[[Path], bytes]]] = {
    "pickle bomb": (
        "E-CKPT-UNSAFE",
        "asks for posix.mkdir",
        lambda c: torch_bytes({"a": torch.zeros(1), "b": Payload(c)}),
    ),
    "old pickle bomb": (
        "E-CKPT-UNSAFE",
        "run code",
        lambda c: torch_bytes({"a": Payload(c)}, _use_new_zipfile_serialization=False),
    ),
    "plain pickle": ("E-CKPT-UNSAFE", "run code", lambda c: pickle.dumps({"params": Payload(c)})),
    "pickle of text": ("E-CKPT-FORMAT", "neither", lambda c: pickle.dumps({"params": Payload(c)}, protocol=0)),
    "tar of pickles": ("E-CKPT-UNSAFE", "tar", tar_bytes),
    "TorchScript": ("E-CKPT-UNSAFE", "torchscript(path=..., trust=True)", lambda c: script_bytes()),
    "truncated safetensors": ("E-CKPT-FORMAT", "fill the file", lambda c: save(compact())[:-100]),
    "truncated torch": ("E-CKPT-FORMAT", "damaged", lambda c: torch_bytes(compact())[:-900]),
    "lying header": ("E-CKPT-FORMAT", "header claims", lambda c: lying_header(2**40)),
    "short header": ("E-CKPT-FORMAT", "cannot be parsed", lambda c: lying_header(100)),
    "wrong shapes": ("E-CKPT-KEYS", "do not fit", lambda c: save(wrong_shapes())),
    "missing tensor": (
        "E-CKPT-KEYS",
        "do not fit",
        lambda c: save({k: v for k, v in compact().items() if k != "body.2.weight"}),
    ),
    "shape beyond its data": (
        "E-CKPT-FORMAT",
        "holds fewer values",
        lambda c: torch_bytes({"body.0.weight": torch.zeros(1).expand(10**6, 10**6)}),
    ),
    "too deep": ("E-CKPT-KEYS", "numbered beyond", lambda c: save(too_deep())),
    "NaN": ("E-CKPT-NAN", "body.2.weight", lambda c: save(poisoned())),
    "unknown network": ("E-CKPT-KEYS", "no architecture", lambda c: save(torch.nn.Linear(3, 4).state_dict())),
    "no tensors": ("E-CKPT-FORMAT", "table of tensors", lambda c: torch_bytes([1, 2, 3])),
    "text": ("E-CKPT-FORMAT", "neither a safetensors", lambda c: b"I am a network, honestly.\n"),
    "web page": ("E-CKPT-FORMAT", "neither a safetensors", lambda c: b"<!DOCTYPE html><html>not found</html>"),
    "empty": ("E-CKPT-FORMAT", "neither a safetensors", lambda c: b""),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_hostile_files_are_refused_in_one_sentence(tmp_path: Path, case: str, suffix: str) -> None:
    code, words, make = HOSTILE[case]
    canary, path = tmp_path / "canary", tmp_path / f"net{suffix}"
    path.write_bytes(make(canary))
    with pytest.raises(weights.BadWeights) as caught:
        Checkpoint(path=str(path))(torch.rand(3, 8, 8))
    text = str(caught.value)
    assert text.startswith(f"{code} net{suffix}: "), text
    assert words in text
    assert text.count("\n") == 0
    assert len(text) < 600
    assert not canary.exists()


def test_a_hostile_file_is_refused_without_torchs_own_warnings(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(pickle.dumps({"params": Payload(tmp_path / "canary")}, protocol=4))
    with catch_warnings(record=True) as heard:
        simplefilter("always")
        with pytest.raises(weights.BadWeights):
            tensors_from(path.read_bytes(), path.name)
        assert "pickle protocol 4" in str(heard[0].message), "torch does warn"
        heard.clear()
        with pytest.raises(weights.BadWeights):
            Checkpoint(path=str(path))(torch.rand(3, 8, 8))
    assert [str(one.message) for one in heard] == []


def test_the_payload_of_these_tests_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "canary")))
    assert (tmp_path / "canary").is_dir()


@pytest.mark.parametrize("length", [0x80, 0x180, 0x280, 0x4B50, 0x80_02_80])
def test_a_header_as_long_as_the_mark_of_another_format_is_read(length: int) -> None:
    data = save({"weight": torch.ones(2)})
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    content = length.to_bytes(8, "little") + header.ljust(length) + data[8 + len(header) :]
    assert torch.equal(weights.tensors_from(content, "net")["weight"], torch.ones(2))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "folder.pth").mkdir()
    for name, words in (("folder.pth", "directory"), ("absent.pth", "No such file"), ("pipe.pth", "regular file")):
        with pytest.raises(weights.BadWeights, match=f"E-CKPT-FORMAT {name}: .*{words}"):
            Checkpoint(path=str(tmp_path / name)).network


def test_inpainting_is_not_restoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spandrel = vision.load("spandrel")
    masked = object.__new__(spandrel.MaskedImageModelDescriptor)
    masked._architecture = type("Arch", (), {"name": "LaMa"})()
    loader = type("Loader", (), {"__init__": lambda self, device: None, "load_from_state_dict": lambda self, s: masked})
    monkeypatch.setattr(spandrel, "ModelLoader", loader)
    save_file(compact(), tmp_path / "lama.safetensors")
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-KEYS lama.safetensors: LaMa .* mask"):
        Checkpoint(path=str(tmp_path / "lama.safetensors")).network


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, file: Path) -> None:
    specs = [f"checkpoint(path={str(file)!r})"]
    for number, (_, _, make) in enumerate(HOSTILE.values()):
        (path := tmp_path / f"{number}.pth").write_bytes(make(tmp_path / "canary"))
        specs.insert(number % 3, f"checkpoint(path={str(path)!r})")
    done, refused = [], []
    for text in specs:
        spec = Spec.parse(text)
        try:
            done.append(restore(registry.generators.get(spec.name)(**spec.arguments), np.zeros((8, 8, 3), np.uint8)))
        except Refusal as problem:
            refused.append(problem)
    assert len(refused) == len(HOSTILE)
    assert len(done) == 1
    assert done[0].shape == (16, 16, 3)
    assert not (tmp_path / "canary").exists()


# -------------------------------------------------------------------------------------------------- parity


@pytest.mark.slow
@pytest.mark.parametrize("restorer", [RealESRGAN, RealESRGANVideo])
def test_ncnn_gives_the_same_picture(restorer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same weights by the program that they were written for: more than 60 dB apart from rounding."""
    runtime: Any = pytest.importorskip("ncnn")
    slot, graph = restorer.info.weights
    if not (weights.present(slot) and weights.present(graph)):
        pytest.skip(f"weights not installed: {slot}")
    astronaut = next(p for p in PHOTOGRAPHS if p.name == "astronaut").crop(288)
    image = torch.from_numpy(apply("down(factor=4)", astronaut, key="photo").transpose(2, 0, 1) / np.float32(255))
    assert image.shape == (3, 72, 72)
    naming = compact_state if restorer.naming == "compact" else rrdb_state
    state = naming(ncnn.load(slot, graph), slot)
    save_file({key: torch.from_numpy(value) for key, value in state.items()}, tmp_path / "net.safetensors")
    ours = Checkpoint(path=str(tmp_path / "net.safetensors"))(image).numpy()

    net = runtime.Net()
    options = net.opt
    options.num_threads = 1
    for name in dir(options):
        if name.startswith(("use_fp16", "use_bf16", "use_int8", "use_vulkan")):
            setattr(options, name, False)
    assert net.load_param(str(weights.path_of(graph))) == 0
    assert net.load_model(str(weights.path_of(slot))) == 0
    given = np.ascontiguousarray(image.numpy())  # ncnn keeps a pointer and no reference
    with net.create_extractor() as extractor:
        extractor.input(net.input_names()[0], runtime.Mat(given).clone())
        status, answer = extractor.extract(net.output_names()[0])
        assert status == 0
        theirs = np.clip(np.array(answer), 0, 1)  # a copy, while the extractor still holds its memory
    assert theirs.shape == ours.shape == (3, 288, 288)
    psnr = -10 * np.log10(np.mean((ours.astype(np.float64) - theirs) ** 2))
    with capsys.disabled():
        print(f"\n{restorer.info.name} against ncnn {runtime.__version__}: {psnr:.1f} dB")
    assert psnr > 60
