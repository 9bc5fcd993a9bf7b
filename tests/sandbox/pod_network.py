"""A network of this machine's own for processes that stand for pods (local_pods.py): a bridge, and a network
namespace for each pod. It needs root and iproute2."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BRIDGE = "zigpods"
_NET = "10.254.83"
"""Addresses that nothing else here should use: .1 is this machine, and pods follow."""
_LOCK = Path(tempfile.gettempdir(), f"{_BRIDGE}.lock")


def address(number: int) -> str:
    """The address of a pod; 1 is this machine's."""
    return f"{_NET}.{number}"


@contextmanager
def opened() -> Iterator[None]:
    """The network, which one test at a time has; whatever is left of an earlier one is taken down first."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _clear()
        run("ip", "link", "add", _BRIDGE, "type", "bridge")
        try:
            own(address(1), 24)
            run("ip", "link", "set", _BRIDGE, "up")
            yield
        finally:
            _clear()


def own(address: str, bits: int) -> None:
    """Makes an address this machine's."""
    run("ip", "address", "add", f"{address}/{bits}", "dev", _BRIDGE)


def namespace(name: str) -> str:
    """The network namespace of a pod."""
    return f"{_BRIDGE}-{name}"


def join(name: str, address: str) -> None:
    """Gives a pod its address, in a namespace of its own."""
    space, outside = namespace(name), f"zp{address.rpartition('.')[2]}"
    # A namespace lives on, nameless, until the last connection of an ended process is given up.
    run("ip", "link", "delete", outside, check=False)
    run("ip", "netns", "add", space)
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
    run("ip", "link", "set", outside, "master", _BRIDGE, "up")
    for words in (["address", "add", f"{address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
        run("ip", "-n", space, *words)
    run("ip", "-n", space, "link", "set", "lo", "up")


def leave(name: str) -> None:
    """Takes a pod's namespace away."""
    run("ip", "netns", "delete", namespace(name), check=False)


def run(*command: str, check: bool = True) -> None:
    """Runs a command, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}"


def forward(listen: tuple[str, int], target: tuple[str, int]) -> socket.socket:
    """Passes connections on until what it returns is shut down, or this process ends."""
    server = socket.create_server(listen)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:  # it is shut down
                server.close()
                return
            try:
                called = socket.create_connection(target)
            except OSError:
                caller.close()
                continue
            for pair in ((caller, called), (called, caller)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server


def _clear() -> None:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        if line.startswith(f"{_BRIDGE}-"):
            run("ip", "netns", "delete", line.split()[0])
    run("ip", "link", "delete", _BRIDGE, check=False)
