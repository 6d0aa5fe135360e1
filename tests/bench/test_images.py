"""Pixels, hashes, paths and options of the image gate, on files that are as they should be."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench.errors import Refusal, ResourceError, UsageError
from ganiq.bench.images import Gate, hash_file, luma_bt601, read, resolve, save_png, to_uint8, twins
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (23, 31, 3), dtype=np.uint8)


# Reading


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "TIFF"])
def test_lossless_formats_give_exactly_what_was_put_in(tmp_path: Path, picture: np.ndarray, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    Image.fromarray(picture).save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
    pixels, facts = read(path)
    np.testing.assert_array_equal(pixels, picture)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable  # torch.from_numpy warns about anything else
    data = path.read_bytes()
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert facts.pixels_sha256 == hashlib.sha256(picture.tobytes()).hexdigest()
    assert (facts.width, facts.height, facts.mode, facts.bytes, facts.notes) == (31, 23, "RGB", len(data), ())


def test_jpeg_is_what_pillow_decodes(tmp_path: Path, picture: np.ndarray) -> None:
    for n, options in enumerate(({}, {"progressive": True}, {"quality": 30, "subsampling": 2}, {"optimize": True})):
        path = tmp_path / f"{n}.jpg"
        Image.fromarray(picture).save(path, "JPEG", **options)
        np.testing.assert_array_equal(read(path)[0], np.asarray(Image.open(path)))


def test_data_after_the_end_changes_the_hash_and_not_the_pixels(tmp_path: Path, picture: np.ndarray) -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        path = tmp_path / kind
        Image.fromarray(picture).save(path, kind)
        before, old = read(path)
        path.write_bytes(path.read_bytes() + b"\0trailer")
        after, new = read(path)
        np.testing.assert_array_equal(before, after)
        assert old.sha256 != new.sha256
        assert old.pixels_sha256 == new.pixels_sha256


@pytest.mark.parametrize("coding", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("big", [False, True], ids=["", "bigtiff"])
def test_codings_of_tiff(tmp_path: Path, picture: np.ndarray, coding: str | None, big: bool) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(picture).save(path, "TIFF", compression=coding, big_tiff=big)
    np.testing.assert_array_equal(read(path)[0], picture)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "zlib"},
        {"rowsperstrip": 5},
        {"rowsperstrip": 5, "compression": "zlib", "predictor": True},
        {"byteorder": ">"},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "rowsperstrip": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize("depth", [8, 16])
def test_layouts_of_tiff(tmp_path: Path, options: dict[str, object], depth: int) -> None:
    """Written by another library than the one that reads them."""
    tifffile = pytest.importorskip("tifffile", exc_type=ImportError)
    wide = np.random.default_rng(2).integers(0, 2**depth, (37, 41, 3)).astype(f"uint{depth}")
    separate = options.get("planarconfig") == "separate"
    try:
        data = np.moveaxis(wide, 2, 0) if separate else wide
        tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", metadata=None, **options)
    except (ImportError, ValueError, RuntimeError) as error:
        pytest.skip(f"tifffile cannot write this here: {error}")
    if depth == 8:
        np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], wide)
    elif separate:
        with pytest.raises(Refusal, match="E-IMG-DEPTH"):
            read(tmp_path / "a.tif", gate=Gate(depth="8"))
    else:
        pixels, _ = read(tmp_path / "a.tif", gate=Gate(depth="8"))
        np.testing.assert_array_equal(pixels, np.rint(wide / 257).astype(np.uint8))


def test_real_images_pass_the_strict_gate(shared_data: Path) -> None:
    """Data sets as their authors published them: nothing is refused, and the notes tell the truth."""
    notes = Counter()
    for folder, every in (("gan-image-database", 1), ("kodak", 6), ("live-subset", 8), ("bsd100", 10)):
        found = sorted(p for p in (shared_data / folder).rglob("*") if p.suffix.lower() in (".png", ".webp"))
        assert len(found) > 20
        for number, path in enumerate(found[::every]):
            pixels, facts = read(path, root=shared_data)
            notes.update((folder, path.parent.name, note.partition(":")[0]) for note in facts.notes)
            if number % 4 == 0:
                with Image.open(path) as image:
                    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
    # That set's authors saved one method's output as JPEG under .png, and six originals are in Adobe RGB.
    assert notes == {
        ("gan-image-database", "ArNet", "ext_mismatch"): 24,
        ("gan-image-database", "Original", "icc"): 6,
    }


def test_a_forked_process_does_not_wait_for_its_parents_threads(tmp_path: Path, picture: np.ndarray) -> None:
    """A data loader forks while another thread of the parent is inside the decoder."""
    save_png(tmp_path / "a.png", picture)
    program = """
import os, signal, sys, threading
from pathlib import Path
from ganiq.bench.images import decode, read
inside, leave = threading.Event(), threading.Event()
def hold():
    with decode.pillow():
        inside.set()
        leave.wait()
threading.Thread(target=hold).start()
inside.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if read(Path(sys.argv[1]))[1].width == 31 else 1)
status = os.waitpid(child, 0)[1]
leave.set()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "a.png")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_nothing_heavy_is_imported() -> None:
    program = "import sys, ganiq.bench.images; print([m for m in ('torch', 'scipy', 'piq') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"


# Names in messages


def test_how_a_file_is_named_in_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "set" / "sub"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for path, options, name in (
        (folder / "a.png", {}, "a.png"),
        (folder / "a.png", {"root": tmp_path / "set"}, "sub/a.png"),
        (folder / "a.png", {"shown": "given/a.png"}, "given/a.png"),
        (Path("set/sub/a.png"), {}, "set/sub/a.png"),
        (Path("set/sub/a.png"), {"root": Path("set")}, "set/sub/a.png"),
    ):
        with pytest.raises(Refusal) as caught:
            read(path, **options)  # type: ignore[arg-type]
        assert caught.value.path == name
        assert str(caught.value).startswith(f"E-IMG-FORMAT {name}: ")


# Hashes


def test_hash_file(tmp_path: Path) -> None:
    for size in (0, 1, 2**20, 3 * 2**20 + 7):
        data = os.urandom(size)
        (tmp_path / "a").write_bytes(data)
        assert hash_file(tmp_path / "a") == (hashlib.sha256(data).hexdigest(), size)


# Paths


@pytest.mark.parametrize(
    ("relative", "real"),
    [
        ("a.png", "a.png"),
        ("sub/a.png", "sub/a.png"),
        ("./sub//a.png", "sub/a.png"),
        ("sub/link.png", "a.png"),
        ("100%.png", "100%.png"),
        ("a%20b.png", "a%20b.png"),
        ("..a/...png", "..a/...png"),
        ("...", "..."),
        ("ümlaut 😀/'\"<b>.png", "ümlaut 😀/'\"<b>.png"),
        ("CON.png", "CON.png"),
        ("nowhere/yet.png", "nowhere/yet.png"),
    ],
)
def test_resolve_inside(tmp_path: Path, relative: str, real: str) -> None:
    (tmp_path / "set" / "sub").mkdir(parents=True)
    (tmp_path / "set" / "sub" / "link.png").symlink_to("../a.png")
    (tmp_path / "other").symlink_to("set")
    for root in (tmp_path / "set", tmp_path / "other"):
        assert resolve(root, relative) == Path(os.path.realpath(tmp_path)) / "set" / real


@pytest.mark.parametrize(
    "relative",
    [
        "",
        ".",
        "./",
        "//",
        "..",
        "../a.png",
        "../../etc/passwd",
        "a/../..",
        "a/../../b.png",
        "a/../b.png",
        "/etc/passwd",
        "//host/share/a.png",
        "C:\\a.png",
        "C:/a.png",
        "c:a.png",
        "\\\\host\\share",
        "a\\..\\..\\b.png",
        "a\0.png",
        "%2e%2e/a.png",
        "%2E%2E%2Fa.png",
        "..%2fa.png",
        "%252e%252e/a.png",
        "..%5ca.png",
        "a.png%00.txt",
        "%2fetc/passwd",
        "link/etc/passwd",
        "up/secret.png",
        "chain/secret.png",
        "direct.png",
        "loop/../../secret.png",
        "self",
    ],
)
def test_resolve_refuses_every_way_out(tmp_path: Path, relative: str) -> None:
    root = tmp_path / "set"
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "link").symlink_to("/")
    (root / "up").symlink_to("..")
    (root / "chain").symlink_to("up")
    (root / "direct.png").symlink_to(tmp_path / "secret.png")
    (root / "self").symlink_to(".")
    with pytest.raises(Refusal) as caught:
        resolve(root, relative)
    assert caught.value.code == "E-PATH-ESCAPE"
    assert str(tmp_path) not in str(caught.value)
    assert str(caught.value).isprintable()


def test_no_byte_outside_the_root_is_read(tmp_path: Path) -> None:
    """Every file that the process opens while the gate is asked for escapes, seen from inside Python."""
    root = tmp_path / "set"
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "link.png").symlink_to("../secret.png")
    program = """
import os, sys
from pathlib import Path
from ganiq.bench.errors import Refusal
from ganiq.bench.images import hash_file, read, resolve
root, seen = Path(sys.argv[1]), []
sys.addaudithook(lambda event, args: seen.append(args[0]) if event in ("open", "os.open") else None)
for relative in ("../secret.png", "link.png", "/etc/passwd", "..%2fsecret.png"):
    for ask in (lambda: resolve(root, relative), lambda: read(Path(root, relative), root=root),
                lambda: hash_file(Path(root, relative), root=root)):
        try:
            ask()
        except Refusal as refusal:
            assert refusal.code in ("E-PATH-ESCAPE", "E-IO-MISSING"), refusal
        else:
            raise SystemExit("not refused")
print([s for s in seen if isinstance(s, str) and ("secret" in s or "passwd" in s)])
"""
    command = [sys.executable, "-c", program, str(root)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert out.stdout.strip() == "[]"


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_whatever_resolve_allows_is_inside(relative: str) -> None:
    root = Path("/nowhere/at/all")
    try:
        path = resolve(root, relative)
    except Refusal as found:
        if found.code != "E-PATH-ESCAPE" or not str(found).isprintable():
            raise
    else:
        assert path.is_relative_to(root)
        assert path != root


def test_twins() -> None:
    names = ["a.png", "A.PNG", "b.png", "caf\u00e9.png", "cafe\u0301.png", "b.png", "stra\u00dfe", "STRASSE", "a.PNG"]
    assert twins(names) == [
        ("a.png", "A.PNG"),
        ("caf\u00e9.png", "cafe\u0301.png"),
        ("stra\u00dfe", "STRASSE"),
        ("a.png", "a.PNG"),
    ]
    assert twins(iter(["x/a.png", "y/a.png", "x/a.png"])) == []
    assert twins([]) == []


# Options


def test_identity_holds_what_changes_pixels_and_nothing_else() -> None:
    assert Gate().identity() == {
        "alpha": "refuse",
        "depth": "refuse",
        "exif": "refuse",
        "frame": "refuse",
        "icc": "note",
    }
    assert Gate(max_pixels=7, max_bytes=9).identity() == Gate().identity()
    changed = [
        Gate(alpha="white"),
        Gate(depth="8"),
        Gate(exif="apply"),
        Gate(icc="convert"),
        Gate(frame=0),
        Gate(frame=1),
    ]
    assert len({tuple(gate.identity().items()) for gate in [Gate(), *changed]}) == 7
    assert all(isinstance(v, str) for gate in changed for v in gate.identity().values())


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": "pink"},
        {"depth": 8},
        {"exif": "ignore"},
        {"icc": ""},
        {"frame": -1},
        {"max_pixels": 0},
        {"max_bytes": 0},
    ],
    ids=str,
)
def test_unknown_options_are_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="E-CFG"):
        Gate(**options)  # type: ignore[arg-type]


# Arithmetic


def test_rounding_is_to_nearest_with_halves_to_even() -> None:
    halves = (np.arange(255) + 0.5) / 255
    exact = halves * 255 == np.arange(255) + 0.5
    assert exact.sum() > 100
    np.testing.assert_array_equal(to_uint8(halves)[exact], np.rint(np.arange(255) + 0.5)[exact])
    assert to_uint8(0.5) == 128  # 127.5
    assert to_uint8(np.float32(0.5)) == 128
    assert to_uint8(np.array([-1.0, -0.0, 1.0, 1.5, np.inf, -np.inf])).tolist() == [0, 0, 255, 255, 255, 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_byte_survives_the_way_through_floats(dtype: type) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(2, 128)
    back = to_uint8((every / 255).astype(dtype))
    np.testing.assert_array_equal(back, every)
    assert back.shape == every.shape


def test_rounding_costs_what_rounding_should() -> None:
    """Uniform noise: 58.96 dB for rounding, 52.88 dB for cutting off."""
    noise = np.random.default_rng(0).random((64, 64, 3))

    def psnr(quantised: np.ndarray) -> float:
        return float(-10 * np.log10(np.mean((quantised / 255 - noise) ** 2)))

    assert psnr(to_uint8(noise)) == pytest.approx(58.96, abs=0.15)
    assert psnr((noise * 255).astype(np.uint8)) == pytest.approx(52.88, abs=0.15)


@pytest.mark.parametrize("values", [np.zeros(3, np.uint8), np.zeros(3, np.int64), np.array([0.1, np.nan]), [True]])
def test_what_cannot_be_quantised(values: object) -> None:
    with pytest.raises(ValueError, match="to_uint8"):
        to_uint8(values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rgb", "luma"),
    [
        ((255, 255, 255), 235.0),
        ((0, 0, 0), 16.0),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((128, 128, 128), 16 + 219 * 128 / 255),
    ],
)
def test_luma(rgb: tuple[int, int, int], luma: float) -> None:
    values = luma_bt601(np.full((4, 5, 3), rgb, np.uint8))
    assert (values.shape, values.dtype) == ((4, 5), np.float64)
    np.testing.assert_allclose(values, luma, atol=1e-9)


def test_luma_golden_of_gray_and_wrong_input() -> None:
    assert float(luma_bt601(np.full(3, 128, np.uint8))) == pytest.approx(125.9294, abs=5e-5)
    for wrong in (np.zeros((4, 4, 3)), np.zeros((3, 4, 4), np.uint8), np.zeros((4, 4), np.uint8)):
        with pytest.raises(ValueError, match="luma_bt601"):
            luma_bt601(wrong)  # type: ignore[arg-type]


# Writing


@pytest.mark.parametrize("shape", [(23, 31, 3), (23, 31), (1, 1, 3)])
def test_save_png_and_read_give_the_same_pixels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / ("x" * 251 + ".png")
    save_png(path, array)
    pixels, _ = read(path)
    np.testing.assert_array_equal(pixels, array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2))
    first = path.read_bytes()
    save_png(str(path), array[::1])
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == [path.name]


def test_save_png_of_a_view(tmp_path: Path, picture: np.ndarray) -> None:
    view = picture[::-1, ::2]
    save_png(tmp_path / "a.png", view)
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], view)


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_save_png_refuses_what_is_no_image(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="save_png"):
        save_png(tmp_path / "a.png", array)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, ResourceError), (errno.EIO, OSError)])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch, step: str, number: int, kind: type
) -> None:
    path = tmp_path / "a.png"
    save_png(path, picture)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(kind) as caught:
        save_png(path, 255 - picture)
    assert kind is OSError or "free space" in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_real_limit_on_file_size(tmp_path: Path) -> None:
    """The operating system refuses the write in the middle, in a process of its own."""
    program = """
import resource, signal, sys
import numpy as np
from ganiq.bench.errors import ResourceError
from ganiq.bench.images import save_png
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    save_png(sys.argv[1], np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
except ResourceError as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.png")]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert out.stdout.startswith("a.png could not be written")
    assert os.listdir(tmp_path) == []


def test_saved_files_are_ordinary_pngs(tmp_path: Path, picture: np.ndarray) -> None:
    save_png(tmp_path / "a.png", picture)
    with Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as image:
        assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
        np.testing.assert_array_equal(np.asarray(image), picture)
