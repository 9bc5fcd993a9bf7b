"""Charts on a sandbox, which records Releases and installs none: rendered by Helm, and put there by kubectl.

What is put there is simulated, but for the controllers that a test then starts as processes (local_pods.py),
as the chart's Deployments say. ZIGGURAT_TEST_CHARTS names a folder of charts (docs/testing.md).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "charts"))  # how charts are rendered
from local_pods import Pod, Pods
from rendering import planned, releases, render

FOLDER = os.environ.get("ZIGGURAT_TEST_CHARTS", "")


def why_not() -> str:
    """Why charts cannot be rendered here; empty where they can."""
    if not FOLDER:
        return "ZIGGURAT_TEST_CHARTS names a folder of charts"
    return "" if shutil.which("helm") else "no helm on PATH"


def install(machine: Any, blueprint: Path, names: Sequence[str]) -> None:
    """Puts there what Helm makes of charts, by the Releases of a blueprint's plan, their kinds first."""
    made = planned(blueprint, mirrored=False, scratch=blueprint.parent)
    found = {each["chart"].rpartition("/")[2]: each for each in releases(made)}
    for name in names:
        rendered = render(Path(FOLDER), made, found[name])
        kinds = [each for each in rendered.objects if each["kind"] == "CustomResourceDefinition"]
        rest = [each for each in rendered.objects if each["kind"] != "CustomResourceDefinition"]
        for objects in (kinds, rest):
            if objects:
                _apply(machine, found[name]["namespace"], objects)


def controller(pods: Pods, deployment: str, service: str, program: Path, until: Callable[..., Any]) -> Pod:
    """Starts a chart's controller, whose webhooks the API server calls by its Service.

    It makes itself certificates, keeps them in a Secret that was empty, and has them as files when a kubelet
    has brought these up to date; some end until then, and are started again. Here each is.
    """
    first = pods.start(deployment, {"/manager": program})
    made = pods.cluster.find("apps/v1", "Deployment", pods.namespace, deployment)
    assert made is not None, deployment
    for each in made["spec"]["template"]["spec"]["volumes"]:
        if secret := each.get("secret"):
            until(lambda name=secret["secretName"]: _filled(pods, name))
    pods.stop(first)
    pod = pods.start(deployment, {"/manager": program})
    pods.expose(service, pod)
    return pod.ready()


def _filled(pods: Pods, secret: str) -> bool:
    data = (pods.cluster.find("v1", "Secret", pods.namespace, secret) or {}).get("data")
    return bool(data) and all(data.values())


def _apply(machine: Any, namespace: str, objects: Sequence[Any]) -> None:
    command = [str(machine.kubectl() / "kubectl"), "--kubeconfig", str(machine.cluster.kubeconfig)]
    command += ["apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-"]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    done = subprocess.run(command, input=listed, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
