"""The images that nothing can pull here: made once from Debian, PyPI and Go modules, then imported."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from onenode.layout import Layout
from ziggurat.errors import ToolError
from ziggurat.progress import Progress
from ziggurat.toolchain.lock import exclusive

RECIPES = Path(__file__).parent.parent / "images"
_PAUSE = "registry.k8s.io/pause:3.10.1"


def _digest() -> str:
    found = hashlib.sha256()
    sources = [RECIPES, *(RECIPES.parent / "tools" / name for name in ("pause", "restic", "rclone"))]
    for file in (file for folder in sources for file in sorted(folder.iterdir())):
        if file.is_file():
            found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()[:12]


def python311() -> str:
    """A Python 3.11: the wheels of MLflow's image have to suit Debian 12's own."""
    asked = shutil.which(os.environ.get("PYTHON311", "python3.11"))
    if asked is None and sys.version_info[:2] == (3, 11):
        asked = sys.executable
    if asked is None:
        raise ToolError("making MLflow's image needs Python 3.11", remedy="set PYTHON311 to one")
    return asked


def ensure(layout: Layout, progress: Progress) -> Path:
    """The folder of the OCI layout. `NODE_IMAGES` names one that was made elsewhere."""
    if given := os.environ.get("NODE_IMAGES"):
        return Path(given)
    folder = layout.images / _digest()
    with exclusive(layout.images / "lock", progress, "making images"):
        if not (folder / ".ready").exists():
            folder.mkdir(parents=True, exist_ok=True)
            with progress.step("making images (debootstrap, apt, pip, go)", 260):
                done = subprocess.run(
                    [str(RECIPES / "make.sh"), str(folder), python311()],
                    capture_output=True,
                    text=True,
                    check=False,
                )
            if done.returncode != 0:
                log = folder / "build.log"
                tail = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
                raise ToolError(
                    "an image could not be made:\n" + "\n".join([*tail, done.stderr.strip()]), where=str(log)
                )
            (folder / ".ready").touch()
    return folder / "oci"


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
