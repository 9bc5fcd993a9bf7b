"""Rendered folders: what is in them, that they are the same each time, and whole or not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ziggurat.errors import BlockedError, ZigguratError
from ziggurat.plan.model import MASK
from ziggurat.plan.planning import plan_program
from ziggurat.plan.rendering import dump, render_files, render_stream, write_folder


@pytest.fixture
def plan(program):
    return plan_program(program(), platform="acme", phase="starter")


def contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_one_file_per_object_in_the_order_of_need(plan):
    assert list(render_files(plan)) == [
        "00-namespaces/namespace.inner0.yaml",
        "00-namespaces/namespace.outer.yaml",
        "50-storage/inner0.persistentvolumeclaim.data.yaml",
        "50-storage/outer.persistentvolumeclaim.data.yaml",
        "70-workloads/inner0.deployment.server.yaml",
        "70-workloads/outer.deployment.server.yaml",
        "secrets.yaml",
        "kustomization.yaml",
    ]


def test_files_hold_the_planned_objects(plan):
    files = render_files(plan)
    rendered = [yaml.safe_load(text) for path, text in files.items() if path[0].isdigit()]
    planned = [each.manifest for each in plan.objects if each.kind != "Secret"]
    assert sorted(rendered, key=str) == sorted(planned, key=str)
    kustomization = yaml.safe_load(files["kustomization.yaml"])
    assert kustomization["resources"] == [path for path in files if path[0].isdigit()]


def test_secrets_are_references(plan):
    files = render_files(plan)
    reference = {
        "name": "login",
        "type": "Opaque",
        "labels": {},
        "secretKeys": ["password", "user"],
        "values": {},
    }
    assert yaml.safe_load(files["secrets.yaml"])["secrets"] == [
        {"namespace": "inner0", **reference},
        {"namespace": "outer", **reference},
    ]
    assert MASK not in "".join(files.values())
    assert "hush" not in "".join(files.values())


def test_stream_holds_every_object_and_names_secrets_in_comments(plan):
    stream = render_stream(plan)
    assert [document["kind"] for document in yaml.safe_load_all(stream)] == [
        "Namespace",
        "Namespace",
        "PersistentVolumeClaim",
        "PersistentVolumeClaim",
        "Deployment",
        "Deployment",
    ]
    assert "#     name: login\n" in stream


def test_a_secret_value_elsewhere_is_refused(plan):
    plan.objects[2].manifest["spec"]["paused"] = MASK
    with pytest.raises(
        ZigguratError, match="Deployment inner0/server cannot be rendered: it holds a secret value"
    ):
        render_files(plan)


def test_long_texts_are_blocks():
    assert (
        dump({"data": {"start.sh": "#!/bin/sh\nexec x\n"}})
        == "data:\n  start.sh: |\n    #!/bin/sh\n    exec x\n"
    )


def test_annotations_for_pulumi_are_left_out(plan):
    plan.objects[2].manifest["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    text = render_files(plan)["70-workloads/inner0.deployment.server.yaml"]
    assert "pulumi.com" not in text
    assert "annotations" not in text


def test_a_folder_is_written_again_without_leftovers(plan, tmp_path):
    folder = tmp_path / "deep" / "rendered"
    files = render_files(plan)
    write_folder({**files, "00-namespaces/gone.yaml": "kind: Namespace\n"}, folder)
    write_folder(files, folder)
    first = contents(folder)
    write_folder(files, folder)
    assert contents(folder) == first
    assert {path for path in first if not path.startswith(".")} == set(files)
    assert [entry.name for entry in folder.parent.iterdir()] == ["rendered"]


def test_foreign_files_are_kept_unless_forced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(BlockedError, match=r"holds files that were not rendered: notes\.txt"):
        write_folder({"a.yaml": "a: 1\n"}, tmp_path / "out")
    assert contents(tmp_path / "out") == {"notes.txt": "mine"}
    write_folder({"a.yaml": "a: 1\n"}, tmp_path / "out", force=True)
    assert "notes.txt" not in contents(tmp_path / "out")


def test_a_repository_is_never_replaced(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    with pytest.raises(BlockedError, match="it is a repository or the current directory"):
        write_folder({"a.yaml": "a: 1\n"}, tmp_path, force=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(BlockedError, match="it is a repository or the current directory"):
        write_folder({"a.yaml": "a: 1\n"}, Path(), force=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(BlockedError, match="the output is a file"):
        write_folder({}, tmp_path / "out", force=True)


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path):
    """The size of files is limited in another process, so the system itself refuses to write."""
    write_folder({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}, tmp_path / "out")
    before = contents(tmp_path / "out")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from ziggurat.plan.rendering import write_folder;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
        "write_folder({'a.yaml': 'a: 2', 'b.yaml': 'b' * 100_000}, Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert contents(tmp_path / "out") == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
