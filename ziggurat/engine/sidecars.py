"""What a killed engine leaves half written beside the files of a state that is kept in a folder."""

from __future__ import annotations

from pathlib import Path


def mend(backend: Path) -> tuple[Path, ...]:
    """Removes the empty attribute files of a state kept below `backend`; which these were.

    The engine replaces a file of its state in one step, but first writes the file's attributes beside it
    (`NAME.json.attrs`, gocloud.dev/blob/fileblob). Killed in between, it leaves them empty, and can no longer
    read the file, whole as it is: "failed to load checkpoint: EOF". A file without attributes is as good.
    """
    empty = [file for file in (backend / ".pulumi").rglob("*.attrs") if _is_empty(file)]
    for file in empty:
        file.unlink(missing_ok=True)
    return tuple(empty)


def _is_empty(file: Path) -> bool:
    """Another engine may be at work there, and take away what was listed a moment ago."""
    try:
        return file.stat().st_size == 0
    except FileNotFoundError:
        return False
