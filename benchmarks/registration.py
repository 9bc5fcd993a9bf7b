"""What registering one Kubernetes object costs: raw type token against typed class, in one run.

    python benchmarks/registration.py [COUNT]

Each way registers COUNT Deployments of the shape that the tracking server has with the recording monitor
(no engine), in a process of its own (500 unless told). The time of the import stands beside it.
"""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, time
import pulumi
from ziggurat.plan.recording import record
from components.manifests.metadata import App
from components.manifests import workloads
way, count = sys.argv[1], int(sys.argv[2])
base = time.perf_counter()
if way == "typed":
    from pulumi_kubernetes.apps.v1 import Deployment
else:
    from components.objects import register
imported = time.perf_counter() - base

def manifest(number):
    app = App("acme", "acme", f"server-{number}", "tracking")
    probe = workloads.http_probe("/health", 5000, periodSeconds=5)
    main = workloads.container(
        app.name, "ghcr.io/mlflow/mlflow:v3.17.2-full",
        resources=workloads.Resources("250m", "768Mi", "1536Mi"),
        command=["mlflow", "server"], args=[f"--workers={number}"] * 8,
        env=workloads.plain({f"NAME_{key}": "value" for key in range(15)}),
        ports={"http": 5000}, volumes=[workloads.scratch("tmp", "/tmp")],
        probes={"readinessProbe": probe, "livenessProbe": probe, "startupProbe": probe},
    )
    template = workloads.pod_template(app, main, user=1000, config_hash="hash", spread=True)
    return workloads.deployment(app, template)

def program():
    root = pulumi.ComponentResource("bench:index:Root", "root")
    for number in range(count):
        data = manifest(number)
        if way == "typed":
            Deployment(f"server-{number}", metadata=data["metadata"], spec=data["spec"],
                       opts=pulumi.ResourceOptions(parent=root))
        else:
            register(root, data)

begin = time.perf_counter()
record(program)
print(f"{imported * 1000:.0f} {(time.perf_counter() - begin) / count * 1000:.2f}")
"""


def main(count: str = "500") -> None:
    """Prints one line for each way, and their ratio."""
    cost: dict[str, float] = {}
    for way in ("raw", "typed"):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, way, count],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        imported, each = ran.stdout.split()
        cost[way] = float(each)
        print(f"{way:6} {each:>6} ms an object, import {imported} ms ({count} objects)")
    print(f"typed / raw: {cost['typed'] / cost['raw']:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
