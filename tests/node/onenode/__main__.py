"""Runs the node. usage: python -m onenode VERB

packages  what apt has to install
require   says what the node changes; ends with 1 and what is missing where it cannot run
build     makes programs and images, and starts nothing
up        starts it (and builds what is missing); prints the path of its kubeconfig
down      stops it; delete: removes its state, too; status: whether it runs
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from onenode import cluster, layout, preflight
from ziggurat.errors import ZigguratError
from ziggurat.progress import Progress
from ziggurat.settings import Settings


def main(verb: str) -> int:
    settings, progress = Settings.from_environment(), Progress()
    where = layout.from_environment(settings)

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    def require() -> None:
        say(preflight.explain(where))
        preflight.require(where)

    def build() -> None:
        preflight.require(where)
        say(str(cluster.build(where, settings, progress)))

    def up() -> None:
        cluster.up(where, settings, progress)
        say(str(where.kubeconfig))

    def down(*, delete: bool = False) -> int:
        cluster.down(where, progress, delete=delete)
        left = cluster.leftovers(where)
        for each in left:
            say(f"left: {each}")
        return int(bool(left))

    verbs: dict[str, Callable[[], int | None]] = {
        "packages": lambda: say(preflight.PACKAGES),
        "require": require,
        "build": build,
        "up": up,
        "down": down,
        "delete": lambda: down(delete=True),
        "status": lambda: say("up" if cluster.is_up(where) else "down"),
    }
    if verb not in verbs:
        sys.exit(__doc__)
    return verbs[verb]() or 0


if __name__ == "__main__":
    try:
        sys.exit(main(*(sys.argv[1:] or [""])[:1]))
    except ZigguratError as error:
        error.show()
        sys.exit(int(error.exit_code))
