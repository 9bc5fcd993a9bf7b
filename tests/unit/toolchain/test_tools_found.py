"""Which programs are taken: the user's own first, if they are good enough."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ziggurat.errors import ToolError
from ziggurat.progress import silent
from ziggurat.settings import Settings
from ziggurat.toolchain import ENGINE, SANDBOX, ensure, found, locate
from ziggurat.toolchain.model import Family, as_tuple, parse_version, this_machine
from ziggurat.toolchain.table import FAMILIES, FAMILY_OF


def put(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho {name} v{version}\n")
    file.chmod(0o755)
    return file


def with_path(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, folders), os.environ["PATH"]]))


def faults(families: dict[str, Family], settings: Settings) -> list[str]:
    return [c.fault for c in found.candidates(families["pair"], settings, this_machine())]


def test_the_users_own_come_first(
    maker: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        put(tmp_path / "own", name, "1.1.0")
    with_path(monkeypatch, tmp_path / "own")
    located = ensure(("one",), settings, silent(), families=maker.family())
    assert located["one"].source == "path"
    assert located["one"].version == "1.1.0"
    assert maker.asked == []


@pytest.mark.parametrize(
    ("versions", "fault"),
    [
        ({"one": "1.0.9", "two": "1.0.9"}, "is older than 1.1.0"),
        ({"one": "1.2.0"}, "lacks two beside it"),
        ({"one": "1.2.0", "two": "1.2.1"}, "is not of one version: one 1.2.0, two 1.2.1"),
        ({"one": "?", "two": "1.2.1"}, "does not say its version"),
    ],
)
def test_what_is_not_good_enough_is_passed_over(
    versions: dict[str, str],
    fault: str,
    maker: Any,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, version in versions.items():
        put(tmp_path / "own", name, version)
    with_path(monkeypatch, tmp_path / "own")
    families = maker.family()
    assert faults(families, settings) == [fault]
    assert locate("one", settings, families=families) is None
    assert ensure(("one",), settings, silent(), families=families)["one"].source == "download"


def test_a_later_folder_of_path_may_be_good_enough(
    maker: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "old", "one", "1.0.0")
    for name in ("one", "two"):
        put(tmp_path / "new", name, "1.3.0")
    with_path(monkeypatch, tmp_path / "old", tmp_path / "new")
    located = locate("one", settings, families=maker.family())
    assert located is not None
    assert located.path.parent == tmp_path / "new"


def test_pulumi_home_is_looked_into_for_pulumi(maker: Any, settings: Settings) -> None:
    families = maker.family(in_pulumi_home=True)
    for name in ("one", "two"):
        put(settings.pulumi_home / "bin", name, "1.2.0")
    located = locate("two", settings, families=families)
    assert located is not None
    assert located.source == "pulumi-home"


def test_pulumi_is_taken_only_with_its_language_host(settings: Settings) -> None:
    home = settings.pulumi_home / "bin"
    put(home, "pulumi", "3.260.0")
    assert locate("pulumi", settings) is None
    put(home, "pulumi-language-python", "")
    assert locate("pulumi", settings) is None
    put(home, "pulumi-language-python-exec", "")
    host = locate("pulumi-language-python", settings)
    assert host is not None
    assert host.path == home / "pulumi-language-python"


def test_an_unknown_name_is_an_error(settings: Settings) -> None:
    with pytest.raises(ToolError, match="no such tool: pulumy") as caught:
        ensure(("pulumy",), settings, silent())
    assert "pulumi," in caught.value.remedy


def test_the_cache_is_keyed_by_what_the_programs_are_made_of(
    maker: Any, settings: Settings, fake_go: Any
) -> None:
    family = maker.family()["pair"]
    machine = this_machine()
    fake_go("1.26.8")
    built = found.cached_folder(family, settings, machine, "build")
    other_flags = replace(
        family,
        tools=tuple(replace(tool, build=replace(tool.build, ldflags="-X a.b=c")) for tool in family.tools),
    )
    assert found.cached_folder(other_flags, settings, machine, "build") != built
    assert found.cached_folder(family, settings, replace(machine, arch="other"), "build") != built
    assert found.cached_folder(family, settings, machine, "download") != built
    fake_go("1.26.9")
    assert found.cached_folder(family, settings, machine, "build") != built


def test_what_go_built_is_still_good_when_go_is_gone(
    maker: Any, settings: Settings, fake_go: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = maker.family(downloads=())
    before = os.environ["PATH"]
    fake_go()
    built = ensure(("one",), settings, silent(), families=families)
    monkeypatch.setenv("PATH", before)
    assert locate("one", settings, families=families) == built["one"]


def test_the_table_is_whole() -> None:
    assert set(FAMILY_OF) == {*ENGINE, *SANDBOX}
    for family in FAMILIES.values():
        assert as_tuple(family.minimum) <= as_tuple(family.version)
        held = {name for download in family.downloads for name in download.members.values()}
        assert {tool.name for tool in family.tools} | set(family.files) == held


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0\n", "3.259.0"),
        ("Kubernetes v1.36.3", "1.36.3"),
        ("etcd Version: 3.6.14\nGo Version: go1.26.8", "3.6.14"),
        ("v3.260.0-alpha.17+dirty", "3.260.0"),
        ("no version", None),
    ],
)
def test_versions_are_read(text: str, version: str | None) -> None:
    assert parse_version(text) == version
