"""The objects that the documentation shows to those who work on a platform."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parents[2] / "docs" / "components.md"


def documented(*groups: str) -> list[dict[str, Any]]:
    """Those of API groups; `v1` is that of Kubernetes' first kinds."""
    blocks = re.findall(r"```yaml\n(.*?)```", _FILE.read_text(encoding="utf-8"), re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks]
    return [
        each for each in found if isinstance(each, dict) and each.get("apiVersion", "").startswith(groups)
    ]
