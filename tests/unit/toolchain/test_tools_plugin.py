"""The Kubernetes plugin: Pulumi's own wherever it can be had, the stand-in where it cannot."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from standin.install import is_stand_in
from ziggurat.errors import ToolError
from ziggurat.progress import silent
from ziggurat.settings import Settings
from ziggurat.toolchain import engine_environment, plugin
from ziggurat.toolchain.model import Download

ELF = b"\x7fELF official"


def official(home: Path) -> Path:
    folder = plugin.plugin_folder(home, plugin.plugin_version())
    folder.mkdir(parents=True)
    file = folder / plugin.NAME
    file.write_bytes(ELF)
    file.chmod(0o755)
    return file


def served(maker: Any) -> Download:
    return Download(f"{maker.url}/plugin", {"": plugin.NAME})


def own(settings: Settings) -> Path:
    return plugin.plugin_folder(plugin.own_home(settings), plugin.plugin_version()) / plugin.NAME


def test_the_users_own_is_copied_into_a_real_folder(maker: Any, settings: Settings) -> None:
    official(settings.pulumi_home)
    located = plugin.ensure_own_plugin(settings, silent(), download=served(maker))
    assert located.source == "pulumi-home"
    assert located.path == own(settings)
    assert located.path.read_bytes() == ELF
    assert not located.path.parent.is_symlink()
    assert maker.asked == []


@pytest.mark.parametrize("fault", ["partial", "link", "stand-in"])
def test_what_the_engine_would_pass_over_is_not_taken(fault: str, settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, downloads=False)
    file = official(settings.pulumi_home)
    if fault == "partial":
        file.parent.with_name(file.parent.name + ".partial").touch()
    elif fault == "link":
        file.parent.rename(tmp_path / "elsewhere")
        file.parent.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_text("#!/bin/sh\n# Ziggurat's stand-in for the official plugin\n")
    assert plugin.ensure_own_plugin(settings, silent()).source == "stand-in"


def test_it_is_downloaded(maker: Any, settings: Settings) -> None:
    maker.files["plugin"] = ELF
    located = plugin.ensure_own_plugin(settings, silent(), download=served(maker))
    assert (located.source, located.path.read_bytes()) == ("download", ELF)
    assert os.access(located.path, os.X_OK)
    asked = len(maker.asked)
    assert plugin.ensure_own_plugin(settings, silent(), download=served(maker)) == located
    assert len(maker.asked) == asked


def test_the_stand_in_serves_until_pulumis_can_be_had(maker: Any, settings: Settings) -> None:
    located = plugin.ensure_own_plugin(settings, silent(), download=served(maker))
    assert located.source == "stand-in"
    assert is_stand_in(located.path)
    maker.files["plugin"] = ELF
    assert plugin.ensure_own_plugin(settings, silent(), download=served(maker)).source == "stand-in"
    assert maker.asked == ["plugin"]  # not at each run: in a closed network that takes seconds
    os.utime(plugin.own_home(settings) / ".plugin-not-downloaded", (0, 0))
    assert plugin.ensure_own_plugin(settings, silent(), download=served(maker)).source == "download"
    assert located.path.read_bytes() == ELF
    maker.files.clear()  # and it never comes back
    assert plugin.ensure_own_plugin(settings, silent(), download=served(maker)).source == "download"
    left = sorted(p.name for p in plugin.own_home(settings).iterdir())
    assert left == [".plugin-not-downloaded", ".plugin.lock", "plugins"]


def test_a_broken_off_download_ends_in_the_stand_in(maker: Any, settings: Settings) -> None:
    maker.files["plugin"] = ELF * 1000
    maker.truncate.add("plugin")
    assert plugin.ensure_own_plugin(settings, silent(), download=served(maker)).source == "stand-in"


def test_the_stand_in_is_rewritten_for_another_python(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, downloads=False)
    located = plugin.ensure_own_plugin(settings, silent())
    inode = located.path.stat().st_ino
    plugin.ensure_own_plugin(settings, silent())
    assert located.path.stat().st_ino == inode
    monkeypatch.setattr(sys, "executable", "/opt/other python/bin/python3")
    plugin.ensure_own_plugin(settings, silent())
    assert "/opt/other python/bin/python3" in located.path.read_text()


def pulumi(settings: Settings, action: str = "exit 1") -> Path:
    folder = settings.pulumi_home / "bin"
    folder.mkdir(parents=True)
    for name in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec"):
        (folder / name).write_text(
            f'#!/bin/sh\nif [ "$1" = version ]; then echo v3.260.0; exit; fi\n{action}\n'
        )
        (folder / name).chmod(0o755)
    return folder


def test_a_sandbox_has_a_home_of_its_own(settings: Settings) -> None:
    settings = replace(settings, downloads=False)
    folder = pulumi(settings)
    environment = engine_environment(settings, sandbox=True, progress=silent())
    assert environment.pulumi == folder / "pulumi"
    assert environment.plugin.source == "stand-in"
    assert environment.variables["PULUMI_HOME"] == str(settings.cache / "pulumi-home")
    assert environment.variables["PATH"].split(os.pathsep)[0] == str(folder)
    assert environment.variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_engine_can_keep_no_debug_log_in_a_home_of_ours(settings: Settings) -> None:
    settings = replace(settings, downloads=False)
    pulumi(settings)
    logs = settings.cache / "pulumi-home" / "logs"
    logs.mkdir(parents=True)
    (logs / "pulumi-20261126T000249-1-stack_export.log").write_bytes(b"of an earlier Ziggurat")
    for _ in range(2):
        engine_environment(settings, sandbox=True, progress=silent())
        assert logs.is_file()


def test_a_cluster_uses_the_users_home_and_plugin(settings: Settings) -> None:
    pulumi(settings)
    official(settings.pulumi_home)
    environment = engine_environment(settings, sandbox=False, progress=silent())
    assert environment.variables["PULUMI_HOME"] == str(settings.pulumi_home)
    assert environment.plugin.source == "pulumi-home"
    assert not any("CREDENTIAL" in name for name in environment.variables)


def test_a_cluster_never_gets_the_stand_in_unasked(settings: Settings) -> None:
    pulumi(settings, "echo error: no route >&2; exit 1")
    with pytest.raises(ToolError, match="cannot be had: error: no route") as caught:
        engine_environment(settings, sandbox=False, progress=silent())
    assert "pulumi plugin install resource kubernetes v" in caught.value.remedy
    assert list(settings.pulumi_home.iterdir()) == [settings.pulumi_home / "bin"]


def test_what_only_reads_a_stack_needs_no_plugin(settings: Settings) -> None:
    settings = replace(settings, downloads=False)
    pulumi(settings)
    environment = engine_environment(settings, sandbox=False, progress=silent(), needs_plugin=False)
    assert environment.plugin is None
    assert environment.variables["PULUMI_HOME"] == str(settings.pulumi_home)


def test_a_cluster_gets_the_stand_in_when_asked(settings: Settings) -> None:
    settings = replace(settings, downloads=False)
    pulumi(settings)
    environment = engine_environment(settings, sandbox=False, progress=silent(), stand_in=True)
    assert environment.plugin.source == "stand-in"
    assert environment.variables["PULUMI_HOME"] == str(settings.cache / "pulumi-home")
    assert environment.variables["PULUMI_CREDENTIALS_PATH"] == str(settings.pulumi_home)


def test_pulumis_installer_is_used_for_a_cluster(settings: Settings) -> None:
    folder = plugin.plugin_folder(settings.pulumi_home, plugin.plugin_version())
    pulumi(
        settings,
        f'[ "$1 $2 $3 $4" = "plugin install resource kubernetes" ] || exit 3\n'
        f"mkdir -p {folder}; cat /bin/sh > {folder}/{plugin.NAME}; chmod 755 {folder}/{plugin.NAME}",
    )
    environment = engine_environment(settings, sandbox=False, progress=silent())
    assert environment.plugin.path == folder / plugin.NAME
