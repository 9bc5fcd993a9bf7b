"""`ziggurat tools` and `ziggurat doctor` on a machine that has nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ziggurat.commands import doctor, tools
from ziggurat.exit_codes import ExitCode
from ziggurat.settings import Settings


@pytest.fixture
def bare(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ZIGGURAT_CACHE_DIR", str(settings.cache))
    monkeypatch.setenv("ZIGGURAT_STATE_DIR", str(settings.state))
    monkeypatch.setenv("ZIGGURAT_DOWNLOADS", "off")
    monkeypatch.setenv("PULUMI_HOME", str(settings.pulumi_home))
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    return settings


def findings(code: int) -> dict[str, dict[str, str]]:
    result = CliRunner().invoke(doctor.command, ["--json"], standalone_mode=False)
    assert result.return_value == code
    shown = json.loads(result.stdout)
    assert shown["healthy"] == (code == 0)
    return {finding["subject"]: finding for finding in shown["findings"]}


def test_list_says_what_is_missing(bare: Settings) -> None:
    result = CliRunner().invoke(tools.command, ["list"])
    assert result.exit_code == 0
    assert result.stdout.count("missing") == 9
    listed = json.loads(CliRunner().invoke(tools.command, ["list", "--json"]).stdout)["tools"]
    assert {tool["name"]: tool["path"] for tool in listed}["etcd"] is None
    assert not bare.cache.exists()  # nothing is fetched, built or made


def test_path_of_what_is_missing_is_exit_code_tool(bare: Settings) -> None:
    result = CliRunner().invoke(tools.command, ["path", "etcd"])
    assert result.exit_code == ExitCode.TOOL
    assert "ziggurat tools ensure etcd" in result.stderr


def test_path_prints_the_path_only(bare: Settings, tmp_path: Path) -> None:
    program = tmp_path / "system" / "etcd"
    program.write_text("#!/bin/sh\necho etcd Version: 3.6.1\n")
    program.chmod(0o755)
    assert CliRunner().invoke(tools.command, ["path", "etcd"]).stdout == f"{program}\n"
    ensured = CliRunner().invoke(tools.command, ["ensure", "etcd", "--json"])
    assert json.loads(ensured.stdout)["tools"][0]["source"] == "path"


def test_doctor_without_go_and_downloads(bare: Settings) -> None:
    shown = findings(ExitCode.TOOL)
    assert shown["go"]["level"] == "missing"
    assert "install Go 1.26" in shown["go"]["remedy"]
    assert shown["pulumi"]["remedy"] == "ziggurat tools ensure pulumi"
    assert shown["sandbox"]["found"] == "absent"
    assert not bare.cache.exists()


def test_doctor_with_go(bare: Settings, fake_go: object) -> None:
    fake_go()  # type: ignore[operator]
    shown = findings(ExitCode.OK)
    assert shown["go"]["level"] == "ok"
    assert "stand-in" in shown["kubernetes plugin"]["found"]


def test_doctor_says_why_the_users_own_is_not_used(bare: Settings, fake_go: object, tmp_path: Path) -> None:
    fake_go()  # type: ignore[operator]
    old = tmp_path / "system" / "etcd"
    old.write_text("#!/bin/sh\necho etcd Version: 3.3.1\n")
    old.chmod(0o755)
    result = CliRunner().invoke(doctor.command, [])
    assert f"not used: 3.3.1 in {tmp_path / 'system'} is older than 3.5.0" in result.stdout


def test_doctor_checks_the_passphrase_file(
    bare: Settings, fake_go: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go()  # type: ignore[operator]
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "/nowhere")
    assert findings(ExitCode.TOOL)["passphrase"]["level"] == "missing"
