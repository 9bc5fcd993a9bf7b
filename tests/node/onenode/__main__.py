"""Runs the node. usage: python -m onenode up|down|delete|status|explain"""

from __future__ import annotations

import sys

from onenode import cluster, layout, preflight
from ziggurat.errors import ZigguratError
from ziggurat.progress import Progress
from ziggurat.settings import Settings


def main(verb: str) -> int:
    settings, progress = Settings.from_environment(), Progress()
    where = layout.from_environment(settings)
    if verb == "up":
        cluster.up(where, settings, progress)
        sys.stdout.write(f"{where.kubeconfig}\n")
    elif verb in ("down", "delete"):
        cluster.down(where, progress, delete=verb == "delete")
        left = cluster.leftovers(where)
        sys.stdout.write("".join(f"left: {each}\n" for each in left))
        return bool(left)
    elif verb == "explain":
        sys.stdout.write(f"{preflight.explain(where)}\n")
    else:
        sys.stdout.write(f"{'up' if cluster.is_up(where) else 'down'}\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("up", "down", "delete", "status", "explain"):
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1]))
    except ZigguratError as error:
        error.show()
        sys.exit(int(error.exit_code))
