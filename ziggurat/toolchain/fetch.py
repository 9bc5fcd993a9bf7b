"""Getting a maker's own download: whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import Any

from ziggurat.progress import Step
from ziggurat.toolchain.model import Download, Machine

TIMEOUT = 6.0
"""Seconds for reaching the maker, and between two pieces of a download."""

_PIECE = 1 << 18


class DownloadError(Exception):
    """The download cannot be had, or is not what it should be."""


def fetch(
    download: Download, folder: Path, machine: Machine, step: Step, *, timeout: float = TIMEOUT
) -> tuple[Path, ...]:
    """Puts the files of `download` into `folder`, executable; returns their paths.

    `folder` is expected to be a temporary one, which the caller renames when he is content. Raises
    DownloadError when it cannot be had, OSError when it cannot be written (ENOSPC: the disk is full).
    """
    words = machine.words
    url = download.url.format(**words)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as scratch:
        arrived = Path(scratch) / url.rpartition("/")[2]
        digest = _save(url, arrived, step, timeout)
        if download.checksums:
            _compare(url, digest, download.checksums.format(**words), timeout)
        members = {member.format(**words): name for member, name in download.members.items()}
        if "" in members:
            files = (_place(arrived, folder / members[""]),)
        else:
            files = tuple(_unpack(arrived, members, folder))
    return files


def _place(file: Path, target: Path) -> Path:
    file.replace(target)
    target.chmod(0o755)
    return target


def _open(url: str, timeout: float) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "ziggurat"})  # noqa: S310 - from our table
    try:
        return urllib.request.urlopen(request, timeout=timeout)  # noqa: S310 - from our table
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise DownloadError(f"{url}: {getattr(error, 'reason', error)}") from error


def _save(url: str, target: Path, step: Step, timeout: float) -> str:
    """Saves what `url` serves; its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with _open(url, timeout) as answer, target.open("wb") as file:
        expected = int(answer.headers.get("Content-Length") or 0)
        while piece := _read(answer, url):
            file.write(piece)  # an OSError of ours (a full disk) must not pass for one of the network's
            digest.update(piece)
            size += len(piece)
            step.detail = f"{size / 1e6:.0f} MB" + (f" of {expected / 1e6:.0f} MB" if expected else "")
    step.detail = ""
    if size < expected:
        raise DownloadError(f"{url}: broke off after {size} of {expected} bytes")
    return digest.hexdigest()


def _read(answer: Any, url: str) -> bytes:
    try:
        return answer.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{url}: broke off: {error}") from error


def _compare(url: str, digest: str, sums: str, timeout: float) -> None:
    """Raises DownloadError unless `sums` lists `digest` for the file of `url`.

    A list has lines `<sum>  <file>`; a file of its own (Kubernetes) has the bare sum.
    """
    name = url.rpartition("/")[2]
    with _open(sums, timeout) as answer:
        text = _read(answer, sums).decode("ascii", "replace")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    wanted = [line[0] for line in lines if len(line) == 1 or line[1].lstrip("*") == name]
    if not wanted:
        raise DownloadError(f"{sums}: has no sum of {name}")
    if wanted[0].lower() != digest:
        raise DownloadError(f"{url}: its SHA-256 is {digest}, and {sums} says {wanted[0]}")


def _unpack(archive: Path, members: dict[str, str], folder: Path) -> list[Path]:
    """Writes the named members of a tar.gz as plain executable files; nothing else of it is unpacked."""
    left = dict(members)
    files: list[Path] = []
    try:
        with tarfile.open(archive, "r|gz") as tar:
            # To the end, even when all is there: only then has gzip checked its own sum.
            for entry in tar:
                name = left.pop(entry.name.removeprefix("./"), None)
                data = tar.extractfile(entry) if name and entry.isfile() else None
                if name and data:
                    files.append(folder / name)
                    with files[-1].open("wb") as file:
                        shutil.copyfileobj(data, file)
                    files[-1].chmod(0o755)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DownloadError(f"{archive.name}: damaged archive: {error}") from error
    if left:
        raise DownloadError(f"{archive.name}: lacks {', '.join(left)}")
    return files
