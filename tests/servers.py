"""What it takes to run a real server in a test."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

from ziggurat.sandbox.processes import free_ports


def free_port() -> int:
    """A port that nobody listens on."""
    return free_ports(1)[0]


def unprivileged(folder: Path, *accounts: str) -> dict[str, Any]:
    """Gives a folder to the account that a server runs as which refuses to be root: what Popen is told of it.

    The first of `accounts` that there is, else `nobody`. Who is not root runs it as is.
    """
    folder.chmod(0o755)
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    account = next(known[name] for name in (*accounts, "nobody") if name in known)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid}
