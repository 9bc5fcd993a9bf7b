"""Loads the messages and stubs of Pulumi's provider protocol without importing the Pulumi SDK.

`import pulumi` costs 200 ms and 45 MB in a process that needs nothing of it. The generated modules lie in
`pulumi/runtime/proto`; for the moment of importing them, empty modules with the right search path stand in
for their parent packages. This relies on the SDK's layout, so a plain import is the fallback, and a test
tells when the layout changes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGE = "pulumi.runtime.proto"


@dataclass(frozen=True)
class Protocol:
    """The generated modules of the protocol (a module cannot be written as a type)."""

    provider: Any
    provider_grpc: Any
    engine: Any
    engine_grpc: Any
    plugin: Any
    status: Any


@cache
def protocol() -> Protocol:
    """The modules, loaded once per process. Raises ImportError when there is no Pulumi SDK."""
    with _hollow_parents():
        names = (
            "provider_pb2",
            "provider_pb2_grpc",
            "engine_pb2",
            "engine_pb2_grpc",
            "plugin_pb2",
            "status_pb2",
        )
        modules = [importlib.import_module(f"{_PACKAGE}.{name}") for name in names]
    return Protocol(*modules)


@contextmanager
def _hollow_parents() -> Generator[None]:
    """Empty parent packages in `sys.modules` until the block ends, unless the real ones are there already."""
    hollow = {} if "pulumi" in sys.modules else _hollow_modules()
    sys.modules.update(hollow)
    try:
        yield
    finally:
        for name in hollow:
            del sys.modules[name]


def _hollow_modules() -> dict[str, ModuleType]:
    """The parent packages without their contents; {} if the SDK has another layout than we know."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not (folder / "runtime" / "proto" / "provider_pb2.py").is_file():
        return {}
    modules: dict[str, ModuleType] = {}
    for name, path in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        modules[name] = ModuleType(name)
        modules[name].__path__ = [str(path)]
    modules[_PACKAGE] = ModuleType(_PACKAGE)
    modules[_PACKAGE].__path__ = [str(folder / "runtime" / "proto")]
    return modules
