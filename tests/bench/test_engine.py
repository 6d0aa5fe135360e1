"""Executors: every unit comes back, whatever the work does."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import pytest
from ganiq.bench import engine
from ganiq.bench.engine import Lost
from ganiq.bench.engine.process import Process
from ganiq.bench.engine.serial import Serial
from ganiq.bench.errors import GaniqError, UsageError
from ganiq.bench.registry import executors
from orders import Batch, Unpicklable, die_at_start, obey, prepare, refuse_to_start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the process executor needs POSIX signals")


def workers() -> list[str]:
    """Processes of the engine that are alive; others may belong to other tests of this process."""
    return [child.name for child in active_children() if child.name == "ganiq-worker"]


def numbers(n: int, size: int = 1, **other: object) -> list[Batch]:
    names = [str(i) for i in range(n)]
    return [Batch(tuple(names[i : i + size]), **other) for i in range(0, n, size)]  # type: ignore[arg-type]


def squares(results: list) -> dict[str, int]:
    found = {}
    for unit, values in results:
        assert not isinstance(values, Lost), (unit, values)
        for order, value in zip(unit.orders, values, strict=True):
            assert order not in found, "came back twice"
            found[order] = value
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped counts as ended."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        if stat.parent.parent.joinpath("self").exists():
            return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return True
    return False


def until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def pids(folder: Path) -> set[int]:
    return {int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")}


EXECUTORS = [Serial, lambda: Process(2)]


def test_registry_finds_the_builtin_executors() -> None:
    assert executors.names()[:2] == ["process", "serial"]
    assert executors.get("process") is Process
    assert executors.get("serial") is Serial


@pytest.mark.parametrize("make", EXECUTORS, ids=["serial", "process"])
class TestBoth:
    def test_all_results_come_back(self, make: Callable) -> None:
        got = squares(list(make().run(numbers(100, 3), obey)))
        assert got == {str(i): i * i for i in range(100)}

    def test_no_units_no_results(self, make: Callable) -> None:
        assert list(make().run([], obey)) == []

    def test_a_batch_that_raises_is_split_and_only_the_culprit_is_lost(self, make: Callable) -> None:
        results = dict(make().run([Batch(("1", "raise:this\nthing", "3")), Batch(("4",))], obey))
        lost = results.pop(Batch(("raise:this\nthing",)))
        assert lost == Lost("error", "ValueError: cannot do this thing")
        assert squares(list(results.items())) == {"1": 1, "3": 9, "4": 16}

    def test_want_of_memory_is_told_from_other_errors(self, make: Callable) -> None:
        results = dict(make().run([Batch(("memory",)), Batch(("5",))], obey))
        assert results == {Batch(("memory",)): Lost("oom", "MemoryError"), Batch(("5",)): [25]}

    def test_initializer_runs_first(self, make: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PREPARED", raising=False)
        executor = make()
        executor.initializer = prepare
        try:
            ((_, value),) = executor.run([Batch(("environment:PREPARED",))], obey)
            assert value == ["yes"]
        finally:
            os.environ.pop("PREPARED", None)

    def test_units_are_taken_as_they_are_needed(self, make: Callable) -> None:
        taken = itertools.count()
        endless = (Batch((str(next(taken)),)) for _ in itertools.count())
        with closing(make().run(endless, obey)) as results:
            got = squares(list(itertools.islice(results, 20)))
        assert len(got) == 20
        assert next(taken) <= 20 + 2 * 3

    def test_an_error_of_the_units_passes_through(self, make: Callable) -> None:
        def broken():
            yield Batch(("2",))
            raise LookupError("manifest ended early")

        with pytest.raises(LookupError, match="ended early"):
            list(make().run(broken(), obey))


def test_serial_lets_an_interrupt_through() -> None:
    def interrupted(unit: Batch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Serial().run(numbers(2), interrupted))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."), "oom"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (RuntimeError("shape mismatch"), "error"),
        (OSError("cannot allocate memory of the file"), "error"),
    ],
)
def test_messages_of_allocators_are_recognized(error: Exception, reason: str) -> None:
    assert engine.failure(error).reason == reason


def test_work_may_report_a_loss_itself() -> None:
    def work(unit: Batch) -> Lost | str:
        return Lost("oom", "even alone") if "0" in unit.orders else "fine"

    results = dict(Serial().run(numbers(2, 2), work))
    assert results == {Batch(("0",)): Lost("oom", "even alone"), Batch(("1",)): "fine"}


class TestProcess:
    def test_work_is_done_elsewhere_by_as_many_as_asked(self, tmp_path: Path) -> None:
        units = [Batch(("sleep:0.05",), str(tmp_path)) for _ in range(40)]
        assert len(list(Process(3).run(units, obey))) == 40
        assert len(pids(tmp_path)) == 3
        assert os.getpid() not in pids(tmp_path)

    def test_no_more_workers_than_units(self, tmp_path: Path) -> None:
        list(Process(8).run([Batch(("1",), str(tmp_path))], obey))
        assert len(pids(tmp_path)) == 1

    def test_big_units_and_big_results_do_not_block_each_other(self) -> None:
        units = [Batch((f"big:{400_000 + i}",), padding=bytes(300_000)) for i in range(30)]
        results = [value for _, value in Process(2).run(units, obey)]
        sizes = sorted(len(value[0]) for value in results)  # type: ignore[index,arg-type]
        assert sizes == [400_000 + i for i in range(30)]

    @pytest.mark.parametrize(("order", "ending"), [("kill", "SIGKILL"), ("exit", "exit code 3")])
    def test_a_unit_that_kills_its_worker_is_lost_after_two_and_the_rest_is_done(
        self, order: str, ending: str, tmp_path: Path
    ) -> None:
        units = [*numbers(12, 4), Batch(("20", order, "21"), str(tmp_path)), Batch(("22",)), Batch(("23",))]
        results = list(Process(2).run(units, obey))
        lost = [(unit, value) for unit, value in results if isinstance(value, Lost)]
        assert [unit.orders for unit, _ in lost] == [(order,)]
        assert lost[0][1].reason == "died"
        assert ending in lost[0][1].detail
        expected = {str(i): i * i for i in [*range(12), 20, 21, 22, 23]}
        assert squares([r for r in results if r not in lost]) == expected

    def test_a_worker_killed_once_costs_nothing(self, tmp_path: Path) -> None:
        units = [*numbers(6), Batch(("kill-once:a",), str(tmp_path)), Batch(("kill-once:b",), str(tmp_path))]
        results = dict(Process(2).run(units, obey))
        assert results[units[6]] == results[units[7]] == ["survived"]
        assert len(results) == 8

    def test_many_deaths_among_many_units(self) -> None:
        units = [Batch((str(i), "kill") if i % 10 == 0 else (str(i), str(i + 100))) for i in range(20)]
        results = list(Process(3).run(units, obey))
        lost = [value for _, value in results if isinstance(value, Lost)]
        done = squares([r for r in results if not isinstance(r[1], Lost)])
        assert [loss.reason for loss in lost] == ["died"] * 2
        assert set(done) == {str(i) for i in range(20)} | {str(i + 100) for i in range(20) if i % 10}

    def test_compiled_code_that_never_returns_is_stopped(self) -> None:
        begin = time.monotonic()
        results = dict(Process(2, timeout=0.4, grace=0.4).run([Batch(("1", "spin", "2")), *numbers(8)], obey))
        assert time.monotonic() - begin < 20
        assert results.pop(Batch(("spin",))) == Lost("timeout", "no result within 0.4 seconds")
        assert results[Batch(("1",))] == [1]
        assert len(results) == 2 + 8 - 2  # "1" and "2" came twice, under equal units

    def test_a_batch_has_time_for_all_of_its_parts(self) -> None:
        batch = Batch(tuple(f"sleep:0.{i}" for i in (30, 31, 32, 33)))
        assert dict(Process(1, timeout=0.6, grace=0.3).run([batch], obey)) == {batch: [None] * 4}

    def test_a_slow_consumer_does_not_make_units_late(self) -> None:
        count = 0
        for _, value in Process(2, timeout=0.2, grace=1.0).run(numbers(8), obey):
            assert not isinstance(value, Lost)
            time.sleep(0.3)
            count += 1
        assert count == 8

    def test_exit_by_third_party_code_is_an_error_like_any_other(self) -> None:
        results = dict(Process(1).run([Batch(("quit",)), Batch(("6",))], obey))
        assert results == {Batch(("quit",)): Lost("error", "SystemExit: 7"), Batch(("6",)): [36]}

    def test_result_that_cannot_be_sent(self) -> None:
        results = dict(Process(1).run([Batch(("2", "unpicklable")), Batch(("6",))], obey))
        lost = results.pop(Batch(("unpicklable",)))
        assert isinstance(lost, Lost)
        assert (lost.reason, "not me" in lost.detail) == ("error", True)
        assert squares(list(results.items())) == {"2": 4, "6": 36}

    def test_work_that_cannot_be_sent(self) -> None:
        with pytest.raises(UsageError, match="serial executor"):
            list(Process(1).run(numbers(1), lambda unit: None))

    def test_unit_that_cannot_be_sent(self) -> None:
        unit = Batch(("1",), padding=Unpicklable())  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="serial executor"):
            list(Process(1).run([unit], obey))

    def test_memory_limit(self) -> None:
        units = [Batch((f"allocate:{8 << 30}",)), Batch((f"allocate:{1 << 20}",))]
        results = dict(Process(1, memory=4 << 30).run(units, obey))
        assert results == {units[0]: Lost("oom", "MemoryError"), units[1]: [1 << 20]}

    def test_initializer_that_fails_is_reported_once(self) -> None:
        with pytest.raises(GaniqError, match="RuntimeError: no such device"):
            list(Process(2, initializer=refuse_to_start).run(numbers(4), obey))

    def test_workers_that_die_at_the_start_do_not_go_on_for_ever(self) -> None:
        with pytest.raises(GaniqError, match=r"3 worker processes in a row .*exit code 9"):
            list(Process(2, initializer=die_at_start).run(numbers(4), obey))

    @pytest.mark.parametrize("arguments", [{"workers": 0}, {"timeout": 0.0}, {"timeout": float("nan")}])
    def test_senseless_settings_are_refused(self, arguments: dict) -> None:
        with pytest.raises(UsageError):
            Process(**arguments)

    def test_can_itself_be_sent_and_used_again(self) -> None:
        executor = pickle.loads(pickle.dumps(Process(2)))
        for _ in range(2):
            assert len(squares(list(executor.run(numbers(4), obey)))) == 4


class TestEnd:
    """However a run ends, no worker is left behind."""

    def test_to_the_end(self, tmp_path: Path) -> None:
        list(Process(2).run(numbers(4, folder=str(tmp_path)), obey))
        assert pids(tmp_path)
        assert all(gone(pid) for pid in pids(tmp_path))

    def test_closed_while_workers_spin(self, tmp_path: Path) -> None:
        units = [*[Batch(("sleep:0.1",), str(tmp_path))] * 10, *[Batch(("spin",), str(tmp_path))] * 4]
        results = Process(2).run(units, obey)
        assert [value for _, value in itertools.islice(results, 10)] == [[None]] * 10
        assert len(workers()) == 2
        begin = time.monotonic()
        results.close()
        assert time.monotonic() - begin < 2
        assert workers() == []
        assert all(gone(pid) for pid in pids(tmp_path))

    def test_consumer_raises(self, tmp_path: Path) -> None:
        def consume() -> None:
            with closing(Process(2).run(numbers(50, folder=str(tmp_path)), obey)) as results:
                for _ in results:
                    raise RuntimeError("disk full")

        with pytest.raises(RuntimeError, match="disk full"):
            consume()
        assert all(gone(pid) for pid in pids(tmp_path))


PROGRAM = """
    import signal, sys
    from contextlib import closing
    sys.path.insert(0, {here!r})
    from ganiq.bench.engine.process import Process
    from orders import Batch, obey

    def main():
        def stop(number, frame):
            raise SystemExit(128 + number)
        signal.signal(signal.SIGTERM, stop)
        units = [Batch((order,), {folder!r}) for order in {orders!r}]
        try:
            with closing(Process(2).run(units, obey)) as results:
                for unit, value in results:
                    print(unit.key, value, flush=True)
        except KeyboardInterrupt:
            sys.exit(130)

    if __name__ == "__main__":
        main()
"""


def program(folder: Path, *orders: str) -> str:
    here = str(Path(__file__).parent)
    return textwrap.dedent(PROGRAM.format(here=here, folder=str(folder), orders=orders))


def begin(arguments: list[str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background inherits deafness
    )


@pytest.mark.parametrize("how", ["-c", "script", "no suffix", "module"])
def test_any_kind_of_main_module_will_do(how: str, tmp_path: Path) -> None:
    text = program(tmp_path, "3", "4", "kill")
    name = {"script": "tool.py", "no suffix": "tool", "module": "tool.py"}.get(how)
    if name:
        (tmp_path / name).write_text(text)
    arguments = {"-c": ["-c", text], "module": ["-m", "tool"]}.get(how) or [str(name)]
    process = begin(arguments, tmp_path)
    out, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 0
    assert sorted(line.split()[0] for line in out.splitlines()) == ["3", "4", "kill"]


@pytest.mark.parametrize(
    ("number", "group", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 143), (signal.SIGKILL, False, -9)],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_a_signal_ends_the_run_and_all_workers_quickly_and_quietly(
    number: int, group: bool, code: int, tmp_path: Path
) -> None:
    process = begin(["-c", program(tmp_path, "1", "spin", "spin", "spin")], tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "1 [1]\n"
        assert until(lambda: len(pids(tmp_path)) == 2, 20)
        time.sleep(0.1)  # let them begin to spin
        begun = time.monotonic()
        (os.killpg if group else os.kill)(process.pid, number)
        _, err = process.communicate(timeout=20)
        assert time.monotonic() - begun < 5
        assert process.returncode == code
        assert err == ""
        assert until(lambda: all(gone(pid) for pid in pids(tmp_path)), 2), "a worker outlived its parent"
    finally:
        with_group_gone(process)


def test_ctrl_c_while_workers_start_prints_no_traceback(tmp_path: Path) -> None:
    process = begin(["-c", program(tmp_path, *["sleep:0.1"] * 100)], tmp_path)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list the children of a process")
        assert until(lambda: len(children.read_text().split()) >= 2, 20)  # resource tracker and a first worker
        time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert err == ""
    finally:
        with_group_gone(process)


def with_group_gone(process: subprocess.Popen[str]) -> None:
    """Clean up after a test that failed half-way."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
