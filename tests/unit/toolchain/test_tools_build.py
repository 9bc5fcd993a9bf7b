"""Builds from Go modules: with our flags, whole or not at all, one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ziggurat.errors import ToolError
from ziggurat.progress import Progress, silent
from ziggurat.settings import Settings
from ziggurat.toolchain import ensure
from ziggurat.toolchain.lock import exclusive


def what_stays(settings: Settings) -> list[str]:
    return sorted(p.name for p in settings.cache.rglob("*") if p.suffix != ".lock")


def test_our_flags_go_before_the_users(
    maker: Any, settings: Settings, fake_go: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = fake_go()
    monkeypatch.setenv("GOFLAGS", "-mod=vendor -p=1")
    monkeypatch.setenv("GOOS", "plan9")
    ensure(("one",), settings, silent(), families=maker.family(downloads=()))
    line, environment = log.read_text().splitlines()[:2]
    assert line.startswith("build -mod=readonly -trimpath -buildvcs=false -v -tags  -ldflags -s -w  -o ")
    assert line.endswith(" example.com/one")
    assert environment == "GOOS= GOWORK=off CGO_ENABLED=0 GOFLAGS=-mod=vendor -p=1"


def test_progress_says_what_is_built_and_how_far(maker: Any, settings: Settings, fake_go: Any) -> None:
    fake_go()
    console = Console(record=True, file=Path(os.devnull).open("w"), width=200)  # noqa: SIM115 - for the whole test
    ensure(("one",), settings, Progress(console), families=maker.family(downloads=()))
    text = console.export_text()
    assert "tools 1 of 2: building one 1.2.3 … 0 s of about 1 s" in text
    assert "tools 2 of 2: building two 1.2.3" in text


def test_no_go_is_said_with_what_to_install(maker: Any, settings: Settings) -> None:
    with pytest.raises(ToolError, match="no `go` on PATH") as caught:
        ensure(("one",), settings, silent(), families=maker.family(downloads=()))
    assert "Go 1.26" in caught.value.remedy


def test_an_old_go_is_said(maker: Any, settings: Settings, fake_go: Any) -> None:
    fake_go("1.20.1")
    with pytest.raises(ToolError, match=r"needs Go 1\.26\.0, and this one is too old: 1\.20\.1"):
        ensure(("one",), settings, silent(), families=maker.family(downloads=()))


@pytest.mark.parametrize(
    ("words", "message", "remedy"),
    [
        ("write /x: no space left on device", "the disk is full", "GOCACHE"),
        ("dial tcp: lookup proxy: no such host", "Go says", "GOPROXY"),
        ("undefined: x", "undefined: x", "Go's words"),
    ],
)
def test_gos_refusal_is_shown_and_leaves_nothing(
    words: str, message: str, remedy: str, maker: Any, settings: Settings, fake_go: Any
) -> None:
    fake_go(action=f"echo '{words}' >&2; exit 1")
    with pytest.raises(ToolError, match=message) as caught:
        ensure(("one",), settings, silent(), families=maker.family(downloads=()))
    assert remedy in caught.value.remedy
    assert what_stays(settings) == ["tools"]


INTERRUPTED = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGTERM, signal.default_int_handler)
from ziggurat.progress import silent
from ziggurat.settings import Settings
from ziggurat.toolchain import ensure
from ziggurat.toolchain.model import Family, GoProgram, Tool
tool = Tool("one", "a test", ("--version",), GoProgram("etcd", "example.com/one", seconds=1))
family = Family("pair", "1.2.3", "1.1.0", (tool,), ())
folder = Path(sys.argv[1])
ensure(("one",), Settings(folder / "cache", folder, False, folder), silent(), families={"pair": family})
"""


def exists(pid: int) -> bool:
    """Whether there is such a process, if only its corpse."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_neither_files_nor_processes(
    with_signal: signal.Signals, settings: Settings, fake_go: Any, tmp_path: Path
) -> None:
    fake_go(action=f"echo $$ > {tmp_path}/pid; touch {tmp_path}/begun; exec sleep 60")
    run = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path)], stderr=subprocess.DEVNULL)
    for _ in range(200):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.05)
    assert [p for p in (tmp_path / "cache" / "tools").iterdir() if "partial" in p.name]
    run.send_signal(with_signal)
    assert run.wait(20) != 0
    assert what_stays(settings) == ["tools"]
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):  # it is killed by now, and whoever inherits it has to take note
        if not exists(child):
            break
        time.sleep(0.05)
    assert not exists(child)


def test_two_runs_at_once_build_once(maker: Any, settings: Settings, fake_go: Any) -> None:
    log = fake_go(action="sleep 0.3")
    families = maker.family(downloads=())
    results: list[Any] = []
    runs = [
        threading.Thread(
            target=lambda: results.append(ensure(("one", "two"), settings, silent(), families=families))
        )
        for _ in range(3)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(results) == 3
    assert results[0] == results[1] == results[2]
    assert sum(line.startswith("build ") for line in log.read_text().splitlines()) == 2  # one and two


def test_waiting_for_another_run_is_said(tmp_path: Path) -> None:
    console = Console(record=True, file=Path(os.devnull).open("w"), width=200)  # noqa: SIM115 - for the whole test
    inside = threading.Event()
    leave = threading.Event()

    def hold() -> None:
        with exclusive(tmp_path / "lock", silent(), "it is working"):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)
    threading.Timer(0.4, leave.set).start()
    with exclusive(tmp_path / "lock", Progress(console), "it is working"):
        assert leave.is_set()
    holder.join()
    assert "waiting for another run (it is working)" in console.export_text()
