"""Finding, checking, adding and downloading weights."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
from ganiq.bench import weights
from ganiq.bench.errors import INTEGRITY, USAGE, GaniqError, Refusal, ResourceError, UsageError
from ganiq.bench.weights import fetch, table

Use = Callable[..., None]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def row(name: str = "test/one", data: bytes | None = None, **changes: Any) -> dict[str, Any]:
    values = {
        "slot": name,
        "title": "made by a test",
        "file": "one.npz",
        "format": "npz",
        "licence": "none",
        "licence_source": "test",
        "origin": {"how": "url", "url": "https://github.com/one.npz"},
    }
    if data is not None:
        values |= {"sha256": sha(data), "bytes": len(data)}
    return values | changes


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty weights folder, no configuration, and the real table."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("GANIQ_WEIGHTS", str(folder))
    for name in ("GANIQ_WEIGHTS_CONFIG", "GANIQ_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    weights.configure(None)
    yield folder
    weights.configure(None)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Replace the table of slots."""

    def replace(*rows: dict[str, Any], groups: dict[str, list[str]] | None = None) -> None:
        named = [{"name": k, "slots": v} for k, v in (groups or {}).items()]
        monkeypatch.setattr(table, "_table", lambda: {"slot": list(rows), "group": named})
        table.slots.cache_clear()
        table.groups.cache_clear()

    yield replace
    monkeypatch.undo()
    table.slots.cache_clear()
    table.groups.cache_clear()


# ------------------------------------------------------------------------------------------------ table


def test_table_is_complete_and_consistent() -> None:
    slots = weights.slots()
    assert len(slots) >= 20
    for name, slot in slots.items():
        assert slot.licence, name
        assert slot.licence_source, name
        assert slot.origin.how in ("shipped", "package", "url", "user")
        assert bool(slot.origin.make) == (slot.origin.how == "user"), name
        assert not slot.sha256 or (len(slot.sha256) == 64 and int(slot.sha256, 16) >= 0)
        assert bool(slot.sha256) == bool(slot.hash_source), name
        assert slot.sha256.startswith(slot.hash_prefix)
        assert slot.hash_prefix in slot.file
        if slot.origin.how == "url":
            fetch.check_url(slot.origin.url)
        if slot.origin.how == "package":
            assert slot.origin.module
            assert slot.origin.path.endswith(slot.file)
    for group, members in weights.groups().items():
        assert group not in slots
        assert set(members) <= set(slots)


def test_every_slot_that_a_metric_or_restorer_names_exists() -> None:
    from ganiq.bench import registry

    for kind in (registry.metrics, registry.extractors, registry.generators):
        for name in kind.builtin:
            for slot in getattr(kind.get(name), "info").weights:
                assert slot in weights.slots(), (name, slot)


def test_groups_expand_once_and_unknown_names_are_refused() -> None:
    names = [slot.slot for slot in weights.expand(["lpips-alex", "lpips/alex", "dists"])]
    assert names == ["trunk/alexnet-torchvision", "lpips/alex", "trunk/vgg16-torchvision", "dists/alpha-beta"]
    assert weights.command_for(["dists", "st-lpips", "pieapp"]) == (
        "ganiq weights get trunk/vgg16-torchvision && pip install dists-pytorch && pip install stlpips-pytorch"
        " && ganiq weights add pieapp/v0.1 PieAPPv0.1.pth"
    )
    with pytest.raises(UsageError, match="lpips-alex"):
        weights.expand(["lpips-alexx"])


# ---------------------------------------------------------------------------------------------- shipped


def test_shipped_models_are_the_registered_files() -> None:
    niqe = weights.arrays("niqe/pristine-live")
    assert {k: v.shape for k, v in niqe.items()} == {"mu": (36,), "cov": (36, 36), "window": (7, 7)}
    assert np.allclose(niqe["cov"], niqe["cov"].T)
    assert np.linalg.eigvalsh(niqe["cov"]).min() > -1e-12
    assert niqe["window"].sum() == pytest.approx(1)
    brisque = weights.arrays("brisque/release-2011")
    assert brisque["support_vectors"].shape == (774, 36)
    assert brisque["rho"] == pytest.approx(-153.591)
    assert brisque["gamma"] == pytest.approx(0.05)
    # A support vector regression is trained under the constraint that its coefficients add up to nothing.
    assert abs(brisque["coefficients"].sum()) < 1e-6
    assert (brisque["min"] < brisque["max"]).all()
    # Scaling to [-1, 1] was done with exactly this range: the support vectors touch both ends and stay inside.
    assert np.abs(brisque["support_vectors"]).max() == pytest.approx(1, abs=1e-6)


def test_listing_and_verify_cover_what_is_here() -> None:
    rows = {r["slot"]: r for r in weights.listing()}
    assert list(rows) == list(weights.slots())
    assert rows["niqe/pristine-live"]["present"]
    assert rows["niqe/pristine-live"]["origin"] == "shipped"
    assert rows["niqe/pristine-live"]["command"] == ""
    absent = rows["trunk/alexnet-torchvision"]
    assert not absent["present"]
    assert absent["command"] == "ganiq weights get trunk/alexnet-torchvision"
    checked = {r["slot"]: r for r in weights.verify()}
    assert set(checked) == {name for name, r in rows.items() if r["present"]}
    assert {r["status"] for r in checked.values()} == {"ok"}


# ----------------------------------------------------------------------------------------------- finding


def test_missing_weights_say_what_to_do() -> None:
    with pytest.raises(weights.MissingWeights) as caught:
        weights.path_of("trunk/alexnet-torchvision")
    error = caught.value
    assert error.slot == "trunk/alexnet-torchvision"
    assert error.command in str(error)
    assert error.code == "E-SKIP-WEIGHTS"
    assert error.exit_code == USAGE
    assert isinstance(error, Refusal)
    assert not weights.present("trunk/alexnet-torchvision")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.slot, again.command) == (str(error), error.slot, error.command)
    bad = weights.BadWeights("E-CKPT-NAN", "a/b", "found", "advice")
    assert str(pickle.loads(pickle.dumps(bad))) == str(bad)


def test_configuration_comes_before_the_folder_and_the_folder_before_packages(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Use
) -> None:
    data = npz(a=np.ones(3))
    package = tmp_path / "site" / "ganiq_test_data"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('a data package was imported')\n")
    (package / "one.npz").write_bytes(data)
    monkeypatch.syspath_prepend(str(package.parent))
    origin = {"how": "package", "distribution": "ganiq-test-data", "module": "ganiq_test_data", "path": "one.npz"}
    use(row(data=data, origin=origin))

    assert weights.path_of("test/one") == package / "one.npz"
    assert weights.read("test/one") == data
    assert "ganiq_test_data" not in sys.modules

    shelved = weights.add("test/one", package / "one.npz")
    assert shelved.parent == shelf
    assert shelved.name == f"{sha(data)}.npz"
    assert weights.path_of("test/one") == shelved

    mine = tmp_path / "mine.npz"
    mine.write_bytes(data)
    weights.configure({"test/one": mine})
    assert weights.path_of("test/one") == mine
    assert not weights.is_own("test/one")
    np.testing.assert_array_equal(weights.arrays("test/one")["a"], np.ones(3))


def test_a_configuration_file_is_read_and_its_mistakes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Use
) -> None:
    data = npz(a=np.ones(3))
    use(row(data=data))
    (tmp_path / "one.npz").write_bytes(data)
    config = tmp_path / "weights.toml"
    monkeypatch.setenv("GANIQ_WEIGHTS_CONFIG", str(config))
    config.write_text('[weights]\n"test/one" = "one.npz"\n')
    assert weights.path_of("test/one") == tmp_path / "one.npz"
    for text, message in (
        ('[weights]\n"test/two" = "one.npz"\n', "no slot"),
        ('[weights]\n"test/one" = 3\n', "as a path"),
        ('[weights]\n"test/one" = {path = "one.npz", sha256 = "12"}\n', "64 hexadecimal"),
        ('[weights]\n"test/one" = "none.npz"\n', "no such file"),
        ("weights = 1\n", "must be a table"),
        ("[weights\n", "cannot be read"),
    ):
        config.write_text(text)
        with pytest.raises(UsageError, match=message):
            weights.path_of("test/one")


def test_a_weight_of_the_users_own_needs_its_hash_and_has_an_identity_of_its_own(tmp_path: Path, use: Use) -> None:
    registered, own = npz(a=np.ones(3)), npz(a=np.zeros(3))
    use(row(data=registered))
    assert weights.digest_of("test/one") == sha(registered)
    mine = tmp_path / "mine.npz"
    mine.write_bytes(own)
    weights.configure({"test/one": str(mine)})
    with pytest.raises(weights.BadWeights, match="E-CKPT-HASH") as caught:
        weights.read("test/one")
    assert sha(own) in str(caught.value)
    assert sha(registered) in str(caught.value)
    assert caught.value.exit_code == INTEGRITY
    weights.configure({"test/one": {"path": str(mine), "sha256": sha(own).upper()}})
    assert weights.is_own("test/one")
    assert weights.digest_of("test/one") == sha(own)
    np.testing.assert_array_equal(weights.arrays("test/one")["a"], np.zeros(3))
    assert [r["status"] for r in weights.verify()] == ["own"]


# ------------------------------------------------------------------------------------------------ hashes


def test_one_flipped_byte_is_refused(shelf: Path, tmp_path: Path, use: Use) -> None:
    data = npz(a=np.arange(100.0))
    use(row(data=data))
    file = tmp_path / "one.npz"
    file.write_bytes(data)
    place = weights.add("test/one", file)
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    place.write_bytes(damaged)
    for load in (weights.read, weights.arrays, weights.tensors):
        with pytest.raises(weights.BadWeights) as caught:
            load("test/one")
        assert caught.value.code == "E-CKPT-HASH"
    [checked] = weights.verify()
    assert checked["status"] == "differs"
    assert sha(bytes(damaged)) in checked["problem"]


def test_adding_another_file_is_refused_and_leaves_nothing(shelf: Path, tmp_path: Path, use: Use) -> None:
    use(row(data=npz(a=np.ones(2))))
    file = tmp_path / "other.npz"
    file.write_bytes(npz(a=np.ones(3)))
    with pytest.raises(weights.BadWeights, match="E-CKPT-HASH"):
        weights.add("test/one", file)
    assert list(shelf.iterdir()) == []
    with pytest.raises(UsageError, match="no file"):
        weights.add("test/one", tmp_path / "none.npz")


def test_a_slot_without_a_registered_hash_keeps_the_one_it_was_added_with(
    shelf: Path, tmp_path: Path, use: Use
) -> None:
    data = npz(a=np.ones(2))
    use(row(hash_prefix=sha(data)[:8]))
    wrong, right = tmp_path / "wrong.npz", tmp_path / "right.npz"
    wrong.write_bytes(npz(a=np.ones(3)))
    right.write_bytes(data)
    with pytest.raises(weights.BadWeights, match="E-CKPT-HASH"):
        weights.add("test/one", wrong)
    place = weights.add("test/one", right)
    assert weights.path_of("test/one") == place
    assert weights.digest_of("test/one") == sha(data)
    place.write_bytes(npz(a=np.zeros(2)))
    with pytest.raises(weights.BadWeights, match="E-CKPT-HASH"):
        weights.read("test/one")
    (shelf / "added.json").write_text("[1]")
    with pytest.raises(UsageError, match=r"added\.json"):
        weights.present("test/one")


def _hostile() -> bytes:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (print, ("it ran",))

    return pickle.dumps({"a": Evil()})


@pytest.mark.parametrize("kind", ["pth", "safetensors", "mat", "npz", "onnx"])
@pytest.mark.parametrize("content", [b"", b"junk\n", _hostile()], ids=["empty", "junk", "pickle"])
def test_no_file_of_another_kind_is_added(
    shelf: Path, tmp_path: Path, use: Use, kind: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "onnx":
        pytest.importorskip("onnx")
    use(row(file=f"one.{kind}", format=kind))
    file = tmp_path / f"one.{kind}"
    file.write_bytes(content)
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-(FORMAT|UNSAFE) .*; not added; "):
        weights.add("test/one", file)
    assert list(shelf.iterdir()) == []
    assert not weights.present("test/one")
    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["pth", "safetensors", "mat", "npz"])
def test_a_file_of_the_right_kind_is_added_and_another_takes_its_place(
    shelf: Path, tmp_path: Path, use: Use, kind: str
) -> None:
    import torch
    from safetensors.torch import save
    from scipy.io import savemat

    def content(value: float) -> bytes:
        if kind == "npz":
            return npz(a=np.full(2, value))
        if kind == "safetensors":
            return save({"a": torch.full((2,), value)})
        buffer = io.BytesIO()
        if kind == "mat":
            savemat(buffer, {"a": np.full(2, value)})
        else:
            torch.save({"a": torch.full((2,), value)}, buffer)
        return buffer.getvalue()

    use(row(file=f"one.{kind}", format=kind), row("test/two", file=f"two.{kind}", format=kind))
    first, second, told = tmp_path / "first", tmp_path / "second", []
    first.write_bytes(content(1.0))
    second.write_bytes(content(2.0))
    place = weights.add("test/one", first, say=told.append)
    assert weights.add("test/one", first, say=told.append) == place
    assert told == []
    weights.add("test/two", first)
    weights.add("test/one", second, say=told.append)
    assert weights.read("test/one") == second.read_bytes()
    assert weights.digest_of("test/one") == sha(second.read_bytes())
    assert len(told) == 1
    assert sha(first.read_bytes()) in told[0]
    assert weights.read("test/two") == first.read_bytes(), "another slot means the same file"
    weights.add("test/two", second)
    assert not place.exists(), "no slot means it any more"
    second.write_bytes(b"junk")
    with pytest.raises(weights.BadWeights):
        weights.add("test/one", second)
    assert weights.present("test/one"), "what filled the slot before still does"


def test_a_file_is_removed_from_the_weights_folder_alone(shelf: Path, tmp_path: Path, use: Use) -> None:
    data, other = npz(a=np.ones(2)), npz(a=np.ones(3))
    use(row(), row("test/known", data=other))
    file = tmp_path / "one.npz"
    file.write_bytes(data)
    with pytest.raises(UsageError, match="holds no file for test/one"):
        weights.remove("test/one")
    added = weights.add("test/one", file)
    assert weights.remove("test/one") == added
    assert not added.exists()
    assert not weights.present("test/one")
    weights.add("test/one", file).unlink()  # by hand: what was noted goes, too
    weights.remove("test/one")
    assert json.loads((shelf / "added.json").read_text()) == {}
    (tmp_path / "known.npz").write_bytes(other)
    place = weights.add("test/known", tmp_path / "known.npz")
    assert weights.remove("test/known") == place
    assert not place.exists()
    weights.configure({"test/known": str(tmp_path / "known.npz")})
    with pytest.raises(UsageError, match=r"known\.npz \(configuration\)"):
        weights.remove("test/known")
    assert (tmp_path / "known.npz").exists()


def test_advice_for_bytes_that_changed_is_no_circle(shelf: Path, tmp_path: Path, use: Use) -> None:
    use(row())
    file = tmp_path / "one.npz"
    file.write_bytes(npz(a=np.ones(2)))
    weights.add("test/one", file).write_bytes(b"something else")
    with pytest.raises(weights.BadWeights, match=r"as when it was added.*weights add test/one one\.npz`, which takes"):
        weights.read("test/one")
    weights.add("test/one", file)
    assert weights.read("test/one") == file.read_bytes()


def test_names_of_metrics_stand_for_what_they_read() -> None:
    from ganiq.bench import registry

    def names(name: str) -> list[str]:
        return [slot.slot for slot in weights.expand([name])]

    assert names("il-niqe") == ["il-niqe/template"]
    assert names("st-lpips-alex") == ["stlpips/alex"]
    assert names("kid") == ["inception/fid-2015-12-05"], "through its features"
    for metric in registry.metrics.builtin:
        own = getattr(registry.metrics.get(metric), "info").weights
        assert set(own) <= set(names(metric) if own else ()), metric
    with pytest.raises(UsageError, match="the metric psnr needs no weights; there is nothing to fetch"):
        weights.get("psnr", yes=True)


def _command(*arguments: str, answer: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ganiq", "weights", *arguments],
        capture_output=True, text=True, check=False, input=answer or "",
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("answer", [None, "n\n"], ids=["nobody there", "no"])
def test_a_download_that_was_declined_says_that_nothing_was_fetched(answer: str | None) -> None:
    code, out, err = _command("get", "trunk/alexnet-torchvision", answer=answer)
    assert code == USAGE
    assert "nothing was fetched" in err
    assert answer or out.endswith("[y/N]: \n")
    assert "Traceback" not in err


def test_what_is_here_needs_no_fetching() -> None:
    code, out, _ = _command("get", "niqe")  # its parameters are part of the package
    assert code == 0
    assert "nothing to fetch" in out


def test_files_nobody_needs_are_named(shelf: Path, tmp_path: Path, use: Use) -> None:
    data = npz(a=np.ones(2))
    use(row(data=data))
    (tmp_path / "one.npz").write_bytes(data)
    weights.add("test/one", tmp_path / "one.npz")
    (shelf / "abc.pth").write_bytes(b"x")
    (shelf / f"{sha(b'y')}.pth.part").write_bytes(b"y")
    assert [(p.name, why) for p, why in weights.stray()] == sorted(
        [("abc.pth", "not used by any slot"), (f"{sha(b'y')}.pth.part", "unfinished download")]
    )


# ------------------------------------------------------------------------------------------- downloading


class Server:
    """Stands in for the connection; remembers from where it was asked to send."""

    def __init__(self, data: bytes, *, ranges: bool = True, breaks_at: int | None = None) -> None:
        self.data, self.ranges, self.breaks_at = data, ranges, breaks_at
        self.starts: list[int] = []

    def __call__(self, url: str, start: int) -> Server:
        fetch.check_url(url)
        self.starts.append(start)
        begin = start if self.ranges else 0
        self.status = 206 if begin else 200
        self.body = io.BytesIO(self.data[begin : self.breaks_at])
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None: ...

    def read(self, size: int) -> bytes:
        block = self.body.read(size)
        if not block and self.breaks_at is not None:
            raise ConnectionResetError(104, "connection reset")
        return block


class Say:
    def __init__(self) -> None:
        self.total, self.done = None, 0

    def stage(self, name: str, total: int | None = None) -> None:
        self.total = total

    def advance(self, n: int = 1) -> None:
        self.done += n


BIG = npz(a=np.random.default_rng(0).random(200_000))


def test_get_asks_downloads_checks_and_is_idempotent(shelf: Path, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(row(data=BIG), groups={"one": ["test/one"]})
    server, say, asked = Server(BIG), Say(), []
    monkeypatch.setattr(fetch, "_open", server)
    [path] = weights.get(["one"], ask=lambda text: not asked.append(text), progress=say)  # type: ignore[arg-type]
    assert path.read_bytes() == BIG
    assert "https://github.com/one.npz" in asked[0]
    assert "licence: none" in asked[0]
    assert f"{len(BIG) / 1e6:.1f} MB" in asked[0]
    assert say.done == say.total == len(BIG) >> 10
    assert [p.name for p in shelf.iterdir()] == [f"{sha(BIG)}.npz"]
    assert weights.get("one") == [path]  # present: nothing to ask, nothing to open
    assert server.starts == [0]


@pytest.mark.parametrize("ranges", [True, False], ids=["continues", "server starts over"])
def test_a_broken_download_is_continued(shelf: Path, use: Use, monkeypatch: pytest.MonkeyPatch, ranges: bool) -> None:
    use(row(data=BIG))
    monkeypatch.setattr(fetch, "_open", Server(BIG, breaks_at=600_000))
    with pytest.raises(ResourceError, match=r"600,000 bytes that have arrived are kept.* run the same command again"):
        weights.get("test/one", yes=True)
    [part] = shelf.iterdir()
    assert part.suffix == ".part"
    assert part.read_bytes() == BIG[:600_000]
    assert not weights.present("test/one")
    server = Server(BIG, ranges=ranges)
    monkeypatch.setattr(fetch, "_open", server)
    [path] = weights.get("test/one", yes=True)
    assert server.starts == [600_000]
    assert path.read_bytes() == BIG
    assert list(shelf.iterdir()) == [path]


def test_other_bytes_and_too_many_bytes_are_thrown_away(shelf: Path, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(row(data=BIG))
    for sent in (BIG[:-1] + bytes([BIG[-1] ^ 1]), BIG + b"more"):
        monkeypatch.setattr(fetch, "_open", Server(sent))
        with pytest.raises(weights.BadWeights, match="E-CKPT-HASH"):
            weights.get("test/one", yes=True)
        assert list(shelf.iterdir()) == []


def test_get_refuses_offline_without_yes_without_hash_and_without_url(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_connection(url: str, start: int) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(fetch, "_open", no_connection)
    package = {"how": "package", "distribution": "some-data", "module": "ganiq_no_such_package", "path": "x"}
    use(row(data=BIG), row("test/nohash"), row("test/package", data=BIG, origin=package))
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("test/one", {}, "not yes"),
        ("test/one", {"ask": lambda text: False}, "not yes"),
        ("test/nohash", {"yes": True}, "ganiq weights add test/nohash one.npz"),
        ("test/package", {"yes": True}, "pip install some-data"),
        ("test/none", {"yes": True}, "no slot"),
    )
    for names, given, message in cases:
        with pytest.raises(UsageError, match=message):
            weights.get(names, **given)
    monkeypatch.setenv("GANIQ_OFFLINE", "1")
    with pytest.raises(UsageError, match="GANIQ_OFFLINE"):
        weights.get("test/one", yes=True)


def test_server_errors_and_no_network_are_one_sentence(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(row(data=BIG))
    for error, message in (
        (HTTPError("https://github.com/one.npz", 404, "Not Found", {}, io.BytesIO()), "404 Not Found"),  # type: ignore[arg-type]
        (
            URLError("name not known"),
            r"test/one could not be downloaded from github.com \(name not known\); nothing has",
        ),
        (TimeoutError("timed out"), r"\(timed out\); nothing has arrived; check the network"),
    ):

        def fail(url: str, start: int, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(fetch, "_open", fail)
        with pytest.raises(ResourceError, match=message):
            weights.get("test/one", yes=True)


def test_only_https_to_listed_hosts_at_public_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch.check_url("https://download.pytorch.org/models/x.pth")
    for url in (
        "http://download.pytorch.org/x", "https://download.pytorch.org:8443/x", "https://user@github.com/x",
        "https://github.com.evil.example/x", "file:///etc/passwd", "https://127.0.0.1/x", "ftp://github.com/x",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="refused to download"):
            fetch.check_url(url)
        with pytest.raises(UsageError):
            fetch._Redirects().redirect_request(None, None, 302, "", {}, url)
    for address in ("127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fe80::1%eth0"):
        monkeypatch.setattr("socket.getaddrinfo", lambda *a, ip=address, **k: [(2, 1, 6, "", (ip, 443))])
        with pytest.raises(UsageError, match="private address"):
            fetch.check_address("github.com")


# ---------------------------------------------------------------------------------- what is never touched


def test_resolving_every_slot_imports_no_data_package_and_opens_no_connection() -> None:
    script = """
import sys
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"the network was used: {event} {args}")
sys.addaudithook(hook)
import json
from ganiq.bench import weights
assert "torch" not in sys.modules and "numpy" not in sys.modules
modules = {s.origin.module for s in weights.slots().values() if s.origin.module}
present = [r["slot"] for r in weights.listing() if r["present"]]
weights.verify()
for slot in ("niqe/pristine-live", "lpips/alex"):
    weights.read(slot)
assert "torch" not in sys.modules
print(json.dumps([len(present), sorted(modules & set(sys.modules))]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    present, imported = json.loads(done.stdout)
    assert present >= 5
    assert imported == []


def test_errors_of_weights_are_errors_of_a_command() -> None:
    assert issubclass(weights.MissingWeights, GaniqError)
    assert issubclass(weights.BadWeights, GaniqError)
    assert issubclass(weights.BadWeights, Refusal)
