"""`python -m standin [ENGINE_ADDRESS]`: serves the plugin.

It reports the version `ZIGGURAT_STANDIN_VERSION`, else that of the installed pip package.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata

from standin.server import serve


def main(version: str = "") -> None:
    """Serves as the plugin of that version; by default of the one that the installed SDK asks for."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    serve(
        version or os.environ.get("ZIGGURAT_STANDIN_VERSION") or _sdk_version(),
        arguments[0] if arguments else "",
    )


def _sdk_version() -> str:
    try:
        return metadata.version("pulumi-kubernetes")
    except metadata.PackageNotFoundError:
        return "4.0.0"


if __name__ == "__main__":
    main()
