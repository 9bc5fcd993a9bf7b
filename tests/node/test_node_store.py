"""The embedded store on a volume that is small: as it runs on the node, beside it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from onenode.platform import ask, until

S3 = 28333
_PORTS = ("-master.port=29333", "-volume.port=28080", "-filer.port=28888", f"-s3.port={S3}")
_REPLACED = ("-dir=", "-s3.config=", "-s3.ip.bind=", "-s3.port=", "-metrics")
BUCKETS = ("artifacts", "backups", "archive", "more")


def the_platform_s() -> Path:
    """The process of the platform's own store."""
    (found,) = (
        process
        for process in Path("/proc").glob("[0-9]*")
        if (process / "cmdline").read_bytes().startswith(b"weed\0") and (process / "exe").exists()
    )
    return found


@contextmanager
def volume(folder: Path, size: str) -> Iterator[Path]:
    """A filesystem of that size; it takes memory for what is written alone."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small_store(platform, tmp_path):
    """The same program with the same flags and variables, on 12 GiB, and open to who is on this machine."""
    running = the_platform_s()
    words = [word for word in (running / "cmdline").read_text().split("\0") if word]
    kept = [word for word in words if not word.startswith(_REPLACED)]
    variables = dict(
        line.split("=", 1) for line in (running / "environ").read_text().split("\0") if "=" in line
    )
    with volume(tmp_path / "data", "12g") as folder, (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [str(running / "exe"), *kept[1:], f"-dir={folder}", "-s3.ip.bind=127.0.0.1", *_PORTS],
            env={**variables, "PATH": os.environ["PATH"]},
            stderr=log,
        )
        try:
            uri = f"http://127.0.0.1:{S3}"
            until(lambda: ask(f"{uri}/status").status, 200, (tmp_path / "log").read_text)
            yield uri
        finally:
            process.kill()  # one that has no room for its own log would go on trying
            process.wait()


def test_every_bucket_of_a_small_volume_can_be_written(small_store):
    def put(path, data=None):
        return ask(f"{small_store}/{path}", method="PUT", data=data, timeout=15).status

    for bucket in BUCKETS:
        until(lambda b=bucket: put(b), 200, lambda b=bucket: b)
    paths = [f"{bucket}/{key}" for key in ("first", "second") for bucket in BUCKETS]
    written = {path: put(path, b"x" * 100_000) for path in paths}
    assert written == dict.fromkeys(paths, 200)
