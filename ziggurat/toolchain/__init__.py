"""The external programs: the user's own, the makers' downloads, or builds from pinned Go modules.

docs/toolchain.md tells which is taken when.
"""

from __future__ import annotations

from ziggurat.toolchain.engine import EngineEnvironment, engine_environment
from ziggurat.toolchain.model import Located
from ziggurat.toolchain.obtain import ensure, locate
from ziggurat.toolchain.table import ENGINE, SANDBOX

__all__ = ["ENGINE", "SANDBOX", "EngineEnvironment", "Located", "engine_environment", "ensure", "locate"]
