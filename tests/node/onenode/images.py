"""The images that nothing can pull here: made once from Debian, PyPI and Go modules, then imported."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from onenode import tools
from onenode.layout import Layout
from ziggurat.errors import ToolError
from ziggurat.progress import Progress
from ziggurat.toolchain.lock import exclusive

RECIPES = Path(__file__).parent.parent / "images"
_MORE = (
    *("NODE_ARCHIVE", "NODE_FAILOVER", "NODE_LOGIN", "NODE_PIPELINES", "NODE_PROJECTS", "NODE_QUEUES"),
    "ZIGGURAT_TEST_KFP",
)
"""Variables that ask for images which only some tests want."""
_PAUSE = "registry.k8s.io/pause:3.10.1"


def _digest() -> str:
    found = hashlib.sha256()
    for file in sorted(file for folder in (RECIPES, tools.FAMILIES) for file in folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            found.update(str(file.relative_to(RECIPES.parent)).encode() + file.read_bytes())
    found.update(repr([os.environ.get(name, "") for name in _MORE]).encode())
    return found.hexdigest()[:12]


def python311() -> str | None:
    """A Python 3.11, if there is one: the wheels of MLflow's image have to suit Debian 12's own."""
    asked = shutil.which(os.environ.get("PYTHON311", "python3.11"))
    if asked is None and sys.version_info[:2] == (3, 11):
        return sys.executable
    return asked


def ensure(layout: Layout, progress: Progress) -> Path:
    """The folder of the OCI layout. `NODE_IMAGES` names one that was made elsewhere."""
    if given := os.environ.get("NODE_IMAGES"):
        return Path(given)
    python = python311()
    if python is None:
        raise ToolError("making MLflow's image needs Python 3.11", remedy="set PYTHON311 to one")
    folder = layout.images / f"set-{_digest()}"
    with exclusive(layout.images / "lock", progress, "making images"):
        if not folder.exists():
            fresh = folder.with_suffix(".new")
            words = [RECIPES / "make.sh", fresh, layout.images / "layers", python]
            with progress.step("making images (debootstrap, apt, pip, go)", 260):
                code, out, err = _run_whole(list(map(str, words)))
            if code != 0:
                raise ToolError(
                    f"an image could not be made:\n{err.strip()[-2000:]}",
                    where=str(layout.images),
                    remedy="see the log that it names; then run it again: what was made is kept",
                )
            progress.note(out.strip())
            fresh.rename(folder)
    return folder


def _run_whole(command: list[str]) -> tuple[int, str, str]:
    """Runs a command in a session of its own, of which nothing is left, however it ends."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        out, err = process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode, out, err


def import_all(layout: Layout, oci: Path, progress: Progress) -> None:
    """Into the node's containerd, unless this very set is there already."""
    stamp = layout.root / "imported"
    wanted = hashlib.sha256((oci / "index.json").read_bytes()).hexdigest()
    ctr = [str(layout.bin / "ctr"), "--address", str(layout.socket), "-n", "k8s.io"]
    listed = subprocess.run([*ctr, "images", "ls", "-q"], capture_output=True, text=True, check=True).stdout
    if _PAUSE in listed and stamp.exists() and stamp.read_text() == wanted:
        return
    with progress.step("importing images", 22):
        archive = subprocess.Popen(["tar", "-C", str(oci), "-c", "."], stdout=subprocess.PIPE)
        done = subprocess.run(
            [*ctr, "images", "import", "--local", "--snapshotter", "overlayfs", "-"],
            stdin=archive.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        archive.wait()
    if done.returncode != 0:
        raise ToolError(f"the images could not be imported: {done.stderr.strip()[-500:]}", where=str(oci))
    stamp.write_text(wanted)
