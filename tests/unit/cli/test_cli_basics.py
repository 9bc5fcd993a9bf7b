"""The command itself: its table of verbs, its errors, and the verbs that need nothing but files."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from blueprints import load
from blueprints.phases import BUILT_PHASES, Phase
from ziggurat import cli
from ziggurat.errors import ToolError
from ziggurat.exit_codes import ExitCode
from ziggurat.project import project_files, pulumi_yaml

ROOT = Path(__file__).parents[3]
STARTER = str(ROOT / "blueprints" / "starter.yaml")
GOOD = "apiVersion: ziggurat/v1\nname: acme\nphase: starter\nteams: {vision: {}}\n"


def ziggurat(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "ziggurat", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


def verb_that(action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `ziggurat version` do `action`."""
    module = import_module("ziggurat.commands.version")

    @click.command()
    @click.option(
        "--json", "as_json", is_flag=True, callback=import_module("ziggurat.commands.options")._note_json
    )
    def command(as_json: bool) -> None:
        action()

    monkeypatch.setattr(module, "command", command)


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


# --- the table of verbs ---------------------------------------------------------------------------


def test_help_shows_every_verb_under_its_heading_and_examples() -> None:
    shown = ziggurat("--help")
    assert shown.returncode == 0
    for heading, verbs in cli.SECTIONS.items():
        assert f"\n{heading}:\n" in shown.stdout
        for verb, text in verbs.items():
            assert f"\n  {verb} " in shown.stdout
            assert text in shown.stdout
    assert "ziggurat up acme/blueprint.yaml" in shown.stdout


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_a_command_with_help_that_teaches(verb: str) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), verb)
    assert command is not None
    with click.Context(command, info_name=f"ziggurat {verb}") as context:
        text = command.get_help(context)
    assert f"ziggurat {verb}" in text.replace("Usage:", "", 1)
    assert "example" in text.lower(), f"{verb} --help has no examples"


def test_only_the_chosen_verb_is_imported() -> None:
    code = (
        "import sys; from ziggurat.cli import run; code = run(['validate', sys.argv[1]])\n"
        "heavy = {'pulumi', 'pulumi_kubernetes', 'rich', 'grpc', 'kubernetes', 'cryptography'}\n"
        "heavy &= set(sys.modules)\n"
        "print(int(code), sorted(heavy), 'ziggurat.commands.up' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code, STARTER], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "0 [] False"


def test_help_imports_no_pydantic() -> None:
    code = (
        "import sys; from ziggurat.cli import run; run(['--help'])\n"
        "print('pydantic' in sys.modules, 'yaml' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "False False"


def test_a_misspelt_verb_gets_the_nearest() -> None:
    shown = ziggurat("valdate")
    assert shown.returncode == ExitCode.USAGE
    assert "No such command 'valdate'. Did you mean 'validate'?" in shown.stderr


def test_an_unknown_option_is_a_usage_error() -> None:
    shown = ziggurat("validate", "--jsn")
    assert (shown.returncode, shown.stdout) == (ExitCode.USAGE, "")
    assert "--json" in shown.stderr


# --- what escapes from a verb ---------------------------------------------------------------------


def test_an_error_says_what_where_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb_that(raising(ToolError("etcd is too old", where="/usr/bin/etcd", remedy="get 3.6")), monkeypatch)
    assert cli.run(["version"]) is ExitCode.TOOL
    shown = capsys.readouterr()
    assert shown.err == "error: etcd is too old\n  where: /usr/bin/etcd\n  to do: get 3.6\n"
    assert shown.out == ""


def test_an_error_is_json_on_standard_output_where_json_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb_that(raising(ToolError("etcd is too old", where="/usr/bin/etcd", remedy="get 3.6")), monkeypatch)
    assert cli.run(["version", "--json"]) is ExitCode.TOOL
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out) == {
        "error": {"message": "etcd is too old", "where": "/usr/bin/etcd", "remedy": "get 3.6", "exitCode": 5}
    }


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_the_operating_systems_refusals_are_errors_not_tracebacks(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb_that(raising(OSError(number, os.strerror(number), "/some/file")), monkeypatch)
    assert cli.run(["version"]) is ExitCode.FAILED
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {os.strerror(number).lower()}\n  where: /some/file\n  to do: ")


def test_ctrl_c_ends_with_130_and_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb_that(raising(KeyboardInterrupt()), monkeypatch)
    assert cli.run(["version"]) is ExitCode.INTERRUPTED
    assert (
        "error: stopped\n  to do: run the same command again to go on from there\n" in capsys.readouterr().err
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_without_a_traceback(number: int, tmp_path: Path) -> None:
    pipe = tmp_path / "blueprint.yaml"
    os.mkfifo(pipe)  # the command waits for somebody to write
    process = subprocess.Popen(
        [sys.executable, "-m", "ziggurat", "validate", str(pipe)], stderr=subprocess.PIPE, text=True
    )
    try:
        writer = os.open(pipe, os.O_WRONLY)  # returns when the command has opened it
        time.sleep(0.2)
        process.send_signal(number)
        _, shown = process.communicate(timeout=20)
        os.close(writer)
    finally:
        process.kill()
    assert process.returncode == ExitCode.INTERRUPTED
    assert "stopped" in shown
    assert "Traceback" not in shown


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    verb_that(raising(RuntimeError("a bug")), monkeypatch)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.run(["version"])


@pytest.mark.parametrize("arguments", [["--help"], ["version", "--json"], ["completion", "bash"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    shown = subprocess.run(
        [sys.executable, "-m", "ziggurat", *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert shown.stderr == ""


# --- validate -------------------------------------------------------------------------------------


def test_validate_says_what_a_blueprint_is(tmp_path: Path) -> None:
    (tmp_path / "blueprint.yaml").write_text(GOOD)
    (tmp_path / "prod.yaml").write_text(GOOD + "cluster: {context: prod-eu}\n")
    shown = ziggurat("validate", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == "blueprint.yaml: valid: acme, phase starter, 1 team, for the sandbox\n"
    shown = ziggurat("validate", "prod.yaml", "blueprint.yaml", cwd=tmp_path)
    assert (
        shown.stdout.splitlines()[0] == "prod.yaml: valid: acme, phase starter, 1 team, for context prod-eu"
    )


def test_validate_reports_all_problems_of_all_files_and_counts_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("acme", "A"))
    (tmp_path / "b.yaml").write_text(GOOD + "x: 1\ny: 2\n")
    (tmp_path / "c.yaml").write_text(GOOD)
    shown = ziggurat("validate", "a.yaml", "b.yaml", "c.yaml", "d.yaml", cwd=tmp_path)
    assert shown.returncode == ExitCode.INVALID
    assert shown.stdout.startswith("c.yaml: valid")
    lines = shown.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "a.yaml:2:1",
        "b.yaml:5:1",
        "b.yaml:6:1",
        "d.yaml",
        "4 problems",
    ]


def test_validate_without_a_blueprint_says_how_to_get_one(tmp_path: Path) -> None:
    shown = ziggurat("validate", cwd=tmp_path)
    assert shown.returncode == ExitCode.INVALID
    assert (
        shown.stderr
        == "blueprint.yaml: there is no such file — `ziggurat init` writes a blueprint\n1 problem\n"
    )


def test_validate_as_json(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD + "databse: {}\n")
    shown = ziggurat("validate", "--json", "--resolved", "good.yaml", "bad.yaml", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (ExitCode.INVALID, "")
    result = json.loads(shown.stdout)
    good, bad = result["blueprints"]
    assert result["valid"] is False
    assert (good["file"], good["valid"], good["platform"], good["teams"]) == (
        "good.yaml",
        True,
        "acme",
        ["vision"],
    )
    assert (good["phase"], good["sandbox"], good["context"]) == ("starter", True, None)
    assert good["blueprint"]["database"]["mode"] == "embedded"
    assert good["source"]["name"] == "good.yaml:2"
    assert bad["problems"] == [
        {
            "file": "bad.yaml",
            "line": 5,
            "column": 1,
            "path": "databse",
            "message": "unknown key",
            "value": "",
            "rule": "",
            "remedy": "did you mean `database`?",
        }
    ]


def test_the_resolved_blueprint_shows_sources_and_loads_again(tmp_path: Path) -> None:
    shown = ziggurat("validate", "--resolved", STARTER)
    assert shown.returncode == 0
    lines = {
        line.split("#")[0].strip(): line.split("# ")[1] for line in shown.stdout.splitlines() if "# " in line
    }
    assert lines["phase: starter"].startswith("starter.yaml:")
    assert lines["replicas: 1"] == "phase default (starter)"
    assert lines["workers: 2"] == "default"
    (tmp_path / "again.yaml").write_text(shown.stdout)
    assert load(tmp_path / "again.yaml").blueprint == load(STARTER).blueprint


def test_warnings_go_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD.replace("{}", "{groups: [a]}") + "tracking: {host: m.acme.dev}\n")
    shown = ziggurat("validate", "b.yaml", cwd=tmp_path)
    assert shown.returncode == 0
    assert shown.stderr.startswith("warning: b.yaml:4:18: teams.vision.groups: open no page")


# --- init -----------------------------------------------------------------------------------------


def test_what_init_writes_is_valid_and_a_pulumi_project(tmp_path: Path) -> None:
    shown = ziggurat("init", "acme", "--name", "acme-ml", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "next: ziggurat validate acme/blueprint.yaml\n")
    files = {file.name for file in (tmp_path / "acme").iterdir()}
    assert files == {"blueprint.yaml", "blueprint.schema.json", "Pulumi.yaml", "__main__.py", ".gitignore"}
    assert shown.stdout.splitlines() == [f"wrote acme/{file}" for file in project_files("x", "starter")]
    loaded = load(tmp_path / "acme" / "blueprint.yaml")
    assert (loaded.blueprint.name, loaded.warnings) == ("acme-ml", ())
    project = yaml.safe_load((tmp_path / "acme" / "Pulumi.yaml").read_text())
    assert (project["name"], project["runtime"]) == ("ziggurat", "python")
    assert project["config"]["blueprint"]["default"] == "blueprint.yaml"
    assert project["config"]["rootSecret"]["secret"] is True
    compile((tmp_path / "acme" / "__main__.py").read_text(), "__main__.py", "exec")
    assert ziggurat("validate", cwd=tmp_path / "acme").returncode == 0


def test_the_modeline_of_a_new_blueprint_names_the_schema_beside_it() -> None:
    files = project_files("acme", "starter")
    modeline = files["blueprint.yaml"].splitlines()[0]
    assert modeline == "# yaml-language-server: $schema=blueprint.schema.json"
    assert files["blueprint.schema.json"] == (ROOT / "blueprints" / "schema.json").read_text(encoding="utf-8")


def test_init_names_the_platform_after_its_folder(tmp_path: Path) -> None:
    (tmp_path / "research-ml").mkdir()
    assert ziggurat("init", cwd=tmp_path / "research-ml").returncode == 0
    assert load(tmp_path / "research-ml" / "blueprint.yaml").blueprint.name == "research-ml"


def test_init_refuses_a_name_that_cannot_be_used_and_writes_nothing(tmp_path: Path) -> None:
    shown = ziggurat("init", "acme", "--name", "kube-system", cwd=tmp_path)
    assert shown.returncode == ExitCode.INVALID
    assert "name: is reserved by Kubernetes (kube-system)" in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_init_overwrites_nothing_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("mine")
    shown = ziggurat("init", "--name", "acme", cwd=tmp_path)
    assert shown.returncode == ExitCode.FAILED
    assert shown.stderr == (
        "error: there already: Pulumi.yaml\n"
        "  where: .\n"
        "  to do: name another folder, or overwrite with --force\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["Pulumi.yaml"]
    assert (tmp_path / "Pulumi.yaml").read_text() == "mine"
    assert ziggurat("init", "--name", "acme", "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "Pulumi.yaml").read_text() != "mine"


def test_init_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("")
    shown = ziggurat("init", "acme", "--json", cwd=tmp_path)
    assert shown.returncode == ExitCode.FAILED
    assert json.loads(shown.stdout)["error"]["message"] == "is not a folder"


def test_init_offers_only_phases_that_are_built() -> None:
    unbuilt = [phase for phase in Phase if phase not in BUILT_PHASES]
    shown = ziggurat("init", "--phase", *(unbuilt or ["none"])[:1])
    assert shown.returncode == ExitCode.USAGE
    assert "'starter'" in shown.stderr


def test_the_projects_own_pulumi_yaml_is_that_of_the_template() -> None:
    assert (ROOT / "Pulumi.yaml").read_text(encoding="utf-8") == pulumi_yaml(main="stacks")


# --- version, completion --------------------------------------------------------------------------


def test_version() -> None:
    found = json.loads(ziggurat("version", "--json").stdout)
    assert set(found) == {"ziggurat", "pulumi", "pulumi-kubernetes", "python"}
    assert f"ziggurat {found['ziggurat']}\n" == ziggurat("--version").stdout
    assert f"python             {found['python']}" in ziggurat("version").stdout


@pytest.mark.parametrize(
    ("shell", "mark"),
    [
        ("bash", "complete -o nosort"),
        ("zsh", "#compdef ziggurat"),
        ("fish", "complete --no-files --command ziggurat"),
    ],
)
def test_completion_scripts(shell: str, mark: str) -> None:
    shown = ziggurat("completion", shell)
    assert shown.returncode == 0
    assert mark in shown.stdout
    assert "_ZIGGURAT_COMPLETE" in shown.stdout


def test_completion_completes_verbs_and_options() -> None:
    def complete(words: str, cword: int) -> str:
        variables = {"_ZIGGURAT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(cword)}
        return ziggurat(env={**os.environ, **variables}).stdout

    assert {line.split(",")[1] for line in complete("ziggurat va", 1).splitlines()} == {"validate"}
    assert "--resolved" in complete("ziggurat validate --", 2)


def test_an_unknown_shell_is_a_usage_error() -> None:
    assert ziggurat("completion", "tcsh").returncode == ExitCode.USAGE


def function_calls(*command: str) -> int:
    """How often a program calls a function: its work, whatever else the machine does."""
    shown = subprocess.run(
        [sys.executable, "-m", "cProfile", *command], capture_output=True, text=True, check=True
    ).stdout
    return int(shown.partition(" function calls")[0].split()[-1])


def test_validate_takes_little_more_than_its_libraries(tmp_path: Path) -> None:
    imports = tmp_path / "libraries.py"
    imports.write_text("import click, difflib, yaml\nfrom pydantic import BaseModel, Field\n")
    libraries = function_calls(str(imports))
    validate = function_calls("-m", "ziggurat", "validate", STARTER)
    assert validate < 2.8 * libraries, f"{validate} function calls against {libraries}"
