"""The makers' downloads: verified and whole, or nothing at all."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ziggurat.errors import ToolError
from ziggurat.progress import silent
from ziggurat.settings import Settings
from ziggurat.toolchain import ensure, fetch, found, locate

NAMES = ("one", "two")


def what_stays(settings: Settings) -> list[str]:
    """Everything in the tools' folder but locks."""
    return sorted(
        str(p.relative_to(settings.cache)) for p in settings.cache.rglob("*") if p.suffix != ".lock"
    )


def test_downloaded_verified_and_kept(maker: Any, settings: Settings) -> None:
    families = maker.family()
    located = ensure(NAMES, settings, silent(), families=families)
    assert {tool.source for tool in located.values()} == {"download"}
    assert subprocess.run([located["two"].path], capture_output=True, text=True).stdout == "two v1.2.3\n"
    folder = located["one"].path.parent
    assert sorted(p.name for p in folder.iterdir()) == ["made.json", "one", "two"]  # and not pair/doc
    asked = len(maker.asked)
    assert ensure(NAMES, settings, silent(), families=families) == located
    assert locate("one", settings, families=families) == located["one"]
    assert len(maker.asked) == asked  # nothing is asked for twice


@pytest.mark.parametrize(
    "fault", ["404", "truncated", "sum", "no sum", "silent", "version", "lacks", "garbage"]
)
def test_what_is_wrong_with_a_download_leaves_nothing(fault: str, maker: Any, settings: Settings) -> None:
    if fault == "404":
        del maker.files["pair.tar.gz"]
    elif fault == "truncated":
        maker.truncate.add("pair.tar.gz")
    elif fault == "sum":
        maker.files["pair.tar.gz.sha256"] = b"0" * 64
    elif fault == "no sum":
        del maker.files["pair.tar.gz.sha256"]
    elif fault == "silent":
        maker.silent.add("pair.tar.gz")
    else:
        maker.publish("pair.tar.gz", maker.broken[fault])
    with pytest.raises(ToolError, match="no `go` on PATH"):  # the next way, which is not there either
        ensure(NAMES, settings, silent(), families=maker.family(), timeout=0.5)
    assert what_stays(settings) == ["tools"]


def test_a_full_disk_is_said_and_leaves_nothing(
    maker: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(settings.cache / "tools" / "one"))

    monkeypatch.setattr(fetch.shutil, "copyfileobj", full)
    with pytest.raises(ToolError, match="the disk is full") as caught:
        ensure(NAMES, settings, silent(), families=maker.family())
    assert "ZIGGURAT_CACHE_DIR" in caught.value.remedy
    assert what_stays(settings) == ["tools"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 400 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount", path="/bin:/usr/bin:/sbin:/usr/sbin")
    options = ["-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if not mounted or subprocess.run([mounted, *options], capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system takes root")
    yield folder
    subprocess.run([shutil.which("umount", path="/bin:/usr/bin:/sbin:/usr/sbin") or "umount", str(folder)])


def test_a_really_full_disk(maker: Any, settings: Settings, tiny_disk: Path) -> None:
    settings = replace(settings, cache=tiny_disk)
    with pytest.raises(ToolError, match="the disk is full") as caught:
        ensure(NAMES, settings, silent(), families=maker.family())
    assert str(tiny_disk) in caught.value.where
    assert what_stays(settings) == ["tools"]


def test_downloads_off_asks_nobody(maker: Any, settings: Settings, fake_go: Any) -> None:
    fake_go()
    settings = replace(settings, downloads=False)
    located = ensure(NAMES, settings, silent(), families=maker.family())
    assert {tool.source for tool in located.values()} == {"build"}
    assert maker.asked == []


def test_a_failed_download_is_built(maker: Any, settings: Settings, fake_go: Any) -> None:
    fake_go()
    maker.files.clear()
    located = ensure(NAMES, settings, silent(), families=maker.family())
    assert {tool.source for tool in located.values()} == {"build"}
    assert maker.asked == ["pair.tar.gz"]


def test_a_damaged_folder_is_made_anew(maker: Any, settings: Settings) -> None:
    families = maker.family()
    first = ensure(NAMES, settings, silent(), families=families)
    first["two"].path.unlink()
    assert locate("one", settings, families=families) is None
    assert ensure(NAMES, settings, silent(), families=families)["two"].path.exists()


def test_remains_of_a_killed_run_are_removed(maker: Any, settings: Settings) -> None:
    remains = found.tools_folder(settings) / ".pair-partial-killed"
    remains.mkdir(parents=True)
    (remains / "one").write_text("half")
    ensure(NAMES, settings, silent(), families=maker.family())
    assert not remains.exists()
