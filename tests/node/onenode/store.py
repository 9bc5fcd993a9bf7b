"""A store that speaks S3 and that the platform does not run: what a user brings."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from onenode.platform import Platform

NAMESPACE = "elsewhere"
ENDPOINT = f"http://store.{NAMESPACE}.svc.cluster.local:8333"
_KEYS = {"AWS_ACCESS_KEY_ID": "owner", "AWS_SECRET_ACCESS_KEY": "of-the-store-elsewhere"}
_IDENTITIES = {
    "identities": [
        {
            "name": "owner",
            "credentials": [{"accessKey": "owner", "secretKey": _KEYS["AWS_SECRET_ACCESS_KEY"]}],
            "actions": ["Read", "Write", "List", "Tagging"],
        }
    ]
}
_SERVER = f"""
apiVersion: v1
kind: Secret
metadata: {{name: store, namespace: {NAMESPACE}}}
stringData: {{s3.json: '{json.dumps(_IDENTITIES)}'}}
---
apiVersion: v1
kind: Service
metadata: {{name: store, namespace: {NAMESPACE}}}
spec: {{selector: {{app: store}}, ports: [{{port: 8333}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: store, namespace: {NAMESPACE}, labels: {{app: store}}}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: docker.io/chrislusf/seaweedfs:4.48
    command: [weed, server, -dir=/data, -ip=127.0.0.1, -ip.bind=127.0.0.1, -volume.max=0, -filer, -s3,
      -s3.ip.bind=0.0.0.0, -s3.config=/etc/store/s3.json, -s3.autoCreateBucket=false, -master.telemetry=false,
      -master.volumePreallocate=false, -master.volumeSizeLimitMB=256]
    readinessProbe: {{httpGet: {{path: /status, port: 8333}}, periodSeconds: 1}}
    volumeMounts: [{{name: config, mountPath: /etc/store}}, {{name: data, mountPath: /data}}]
  volumes:
  - {{name: config, secret: {{secretName: store}}}}
  - {{name: data, emptyDir: {{}}}}
"""


@dataclass(frozen=True)
class Store:
    """The store, as the user who runs it sees it; `platform` only lends its kubectl."""

    platform: Platform

    def up(self, *buckets: str) -> None:
        """Starts it and makes the buckets."""
        kubectl = self.platform.kubectl
        kubectl("create", "namespace", NAMESPACE)
        kubectl("apply", "-f", "-", stdin=_SERVER)
        kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod/store", "--timeout=120s")
        shell = " && ".join(f"echo s3.bucket.create -name {name} | weed shell" for name in buckets)
        kubectl("exec", "-n", NAMESPACE, "store", "--", "sh", "-c", shell)

    def down(self) -> None:
        self.platform.kubectl("delete", "namespace", NAMESPACE, check=False)

    def give_keys(self, namespace: str, name: str, seconds: float = 60) -> None:
        """Makes the Secret with the keys as soon as the namespace is there, as a user has to."""
        deadline = time.monotonic() + seconds
        while f"namespace/{namespace}" not in self.platform.kubectl("get", "namespaces", "-o", "name"):
            assert time.monotonic() < deadline, f"no namespace {namespace}"
            time.sleep(0.3)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": _KEYS,
        }
        self.platform.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
