"""A platform on the node, made and used as its users do: by the project's own command, and from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MLFLOW_CLIENT = "mlflow==3.17.2"
"""What a data scientist installs. The client's version is the server's."""

_LATE = 5
"""How often in a row the server may be silent for 3 s before the connection to it counts as dead."""

CLIENT = Path(__file__).parents[1] / "client"
_PROJECT = """\
name: ziggurat
runtime: {{name: python, options: {{toolchain: pip, virtualenv: "{venv}"}}}}
"""
_PROGRAM = 'import runpy\n\nrunpy.run_module("stacks", run_name="__main__")\n'


@dataclass(frozen=True)
class Answer:
    """What a server said; status 0 means that there was no answer."""

    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Platform:
    """One provisioned blueprint: its project folder, and the cluster that it runs on."""

    name: str
    folder: Path
    kubeconfig: Path
    cache: Path

    @property
    def blueprint(self) -> Path:
        return self.folder / "blueprint.yaml"

    def ziggurat(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs the command as a user does, with a backend and a Pulumi home of this platform's own."""
        process = self.start(*arguments)
        out, err = process.communicate()
        if check and process.returncode != 0:
            raise AssertionError(f"ziggurat {' '.join(arguments)}: exit {process.returncode}\n{err}")
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the command and does not wait for its end."""
        home = {
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            "PULUMI_BACKEND_URL": (self.folder / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "node",
            "ZIGGURAT_STATE_DIR": str(self.folder / "state"),
            "ZIGGURAT_CACHE_DIR": str(self.cache),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "ziggurat", *arguments],
            cwd=self.folder,
            env={"ZIGGURAT_DOWNLOADS": "off", **os.environ, **home},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def write(self, blueprint: str) -> None:
        """Writes the project that `ziggurat` runs, as a user would keep it."""
        for name in ("backend", "pulumi-home", "state"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "Pulumi.yaml").write_text(_PROJECT.format(venv=sys.prefix))
        (self.folder / "__main__.py").write_text(_PROGRAM)
        self.blueprint.write_text(blueprint)

    @property
    def up_words(self) -> tuple[str, ...]:
        """What provisions the blueprint. The stand-in needs its flag: the blueprint names a cluster."""
        return ("up", str(self.blueprint), "--yes", "--stand-in")

    def up(self) -> subprocess.CompletedProcess[str]:
        """Provisions the blueprint."""
        return self.ziggurat(*self.up_words)

    @contextmanager
    def changed(self, blueprint: str) -> Iterator[None]:
        """While the body runs, the platform is what another blueprint says."""
        before = self.blueprint.read_text()
        self.blueprint.write_text(blueprint)
        try:
            self.up()
            yield
        finally:
            self.blueprint.write_text(before)
            self.up()

    def connect(self, team: str) -> dict[str, str]:
        """What `ziggurat connect` tells a member of the team to export, evaluated by a shell."""
        lines = self.ziggurat("connect", str(self.blueprint), "--team", team, "--shell", "--stand-in").stdout
        shown = subprocess.run(
            ["bash", "-euc", f"{lines}\nenv -0"],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=True,
        ).stdout.decode()
        pairs = (pair.split("=", 1) for pair in shown.split("\0") if pair.startswith("MLFLOW_"))
        return dict(pairs)

    def kubectl(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout + (done.stderr if not check else "")

    def in_server(self, script: str, *arguments: str) -> str:
        """Runs Python in a tracking server's pod, which has an S3 client and the store's address."""
        where = ("-n", self.name, "deployment/mlflow", "--")
        return self.kubectl("exec", *where, "python", "-c", script, *arguments)

    def sql(self, statement: str, pod: str = "postgresql-0", database: str = "mlflow") -> list[str]:
        """The lines that PostgreSQL answers to its superuser."""
        said = self.kubectl(
            "exec", "-n", self.name, pod, "--", "psql", "-U", "postgres", "-d", database, "-tAc", statement
        )
        return said.strip().splitlines()

    def exec(self, namespace: str, pod: str) -> list[str]:
        """The command line that runs the words after it in a pod."""
        return ["kubectl", "--kubeconfig", str(self.kubeconfig), "exec", "-n", namespace, pod, "--"]

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
        return json.loads(self.kubectl("get", kind, *where, "--output", "json"))["items"]

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        data = json.loads(self.kubectl("get", "secret", name, "-n", namespace, "-o", "json"))["data"]
        return {key: b64decode(value).decode() for key, value in data.items()}

    @contextmanager
    def reached(self, service: str, port: int, local: int, health: str) -> Iterator[None]:
        """While the body runs, a Service of the platform is at a port of this machine."""
        words = ["port-forward", "-n", self.name, f"service/{service}", f"{local}:{port}"]
        process = subprocess.Popen(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        try:
            while ask(f"http://127.0.0.1:{local}{health}", timeout=3).status == 0:
                assert time.monotonic() < deadline, f"no answer from {service}"
                time.sleep(0.3)
            yield
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def forwarded(self, port: int = 5000) -> Iterator[str]:
        """Keeps the port-forward of `ziggurat connect` going, as a user does who starts it anew."""
        done = threading.Event()
        processes: list[subprocess.Popen[bytes]] = []

        def keep() -> None:
            while not done.is_set():
                process = subprocess.Popen(
                    [
                        "kubectl",
                        "--kubeconfig",
                        str(self.kubeconfig),
                        "port-forward",
                        "--namespace",
                        self.name,
                        "service/mlflow",
                        f"{port}:5000",
                    ],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                processes[:] = [process]
                process.wait()
                done.wait(0.3)

        def watch() -> None:  # kubectl does not end when its pod does, until a connection fails
            late = 0
            while not done.wait(1):
                answer = ask(f"http://127.0.0.1:{port}/health", timeout=3)
                late = late + 1 if "timed out" in answer.body else 0
                # A server that carries a gigabyte may be slow to answer: its connection is no dead one.
                if processes and answer.status == 0 and not 0 < late < _LATE:
                    processes[0].terminate()

        threads = [threading.Thread(target=each, daemon=True) for each in (keep, watch)]
        for thread in threads:
            thread.start()
        uri = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{uri}/health", 120)
            yield uri
        finally:
            done.set()
            for process in processes:
                process.terminate()
            for thread in threads:
                thread.join()


def ask(
    url: str,
    user: tuple[str, str] | None = None,
    *,
    method: str = "GET",
    data: Mapping[str, Any] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Answer:
    """One request, whatever comes of it."""
    sent = dict(headers or {})
    body = data if isinstance(data, bytes) else None if data is None else json.dumps(data).encode()
    if body is not None and not isinstance(data, bytes):
        sent["Content-Type"] = "application/json"
    if user:
        sent["Authorization"] = f"Basic {b64encode(':'.join(user).encode()).decode()}"
    request = urllib.request.Request(url, body, sent, method=method)  # noqa: S310  # http, to our own node
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return Answer(response.status, response.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(errors="replace"))
    except OSError as error:
        return Answer(0, str(error))


def wait_for(url: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while ask(url, timeout=3).status != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer from {url} for {seconds:.0f} s")
        time.sleep(0.3)


def until(look: Callable[[], Any], wanted: Any, explain: Callable[[], Any], seconds: float = 60) -> float:
    """Waits until `look` finds what is wanted; the seconds that it took."""
    start = time.monotonic()
    while (found := look()) != wanted:
        assert time.monotonic() < start + seconds, (found, wanted, explain())
        time.sleep(0.3)
    return round(time.monotonic() - start, 1)


def run_client(
    python: Path, env: Mapping[str, str], folder: Path, script: str, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs one of the clients' scripts outside of the cluster, with just what `ziggurat connect` prints."""
    done = subprocess.run(
        [str(python), str(CLIENT / script), *arguments],
        env={**env, "PATH": os.environ["PATH"], "HOME": str(folder)},
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        timeout=600,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{script} {' '.join(arguments)}: {done.stderr[-8000:]}")
    return done


def client_python(cache: Path) -> Path:
    """A Python with MLflow's client in it, made once: the machine of a data scientist."""
    folder = cache / "node" / f"client-{MLFLOW_CLIENT.replace('==', '-')}"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", MLFLOW_CLIENT], check=True)
        (folder / ".ready").touch()
    return python
