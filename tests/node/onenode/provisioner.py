"""Gives each waiting claim of StorageClass `standard` a folder of this node, as a local volume.

usage: provisioner.py KUBECONFIG FOLDER NODE

Local volumes (not hostPath) because the kubelet applies fsGroup to them, as a cloud's driver would.
A released volume is deleted with its folder.
"""

import base64
import http.client
import json
import os
import shutil
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

PROVISIONER = "node.ziggurat.dev/folder"


class Api:
    def __init__(self, kubeconfig):
        config = json.loads(Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        url = urlsplit(cluster["server"])
        self.address = url.hostname, url.port
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self.tls.load_cert_chain(pair.name)

    def send(self, method, path, body=None):
        connection = http.client.HTTPSConnection(*self.address, context=self.tls, timeout=60)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse()

    def call(self, method, path, body=None):
        response = self.send(method, path, body)
        data = response.read()
        if response.status >= 400 and response.status not in (404, 409):
            raise OSError(f"{method} {path}: {response.status} {data[:300]!r}")
        return json.loads(data)

    def objects(self, path):
        """All objects now, then each one again whenever it changes, for as long as the watch lasts."""
        listed = self.call("GET", path)
        yield from listed["items"]
        version = listed["metadata"]["resourceVersion"]
        response = self.send("GET", f"{path}?watch=1&timeoutSeconds=45&resourceVersion={version}")
        for line in response:
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]


def provision(api, folder, node, claim):
    metadata, spec = claim["metadata"], claim["spec"]
    notes = metadata.get("annotations", {})
    if spec.get("volumeName") or claim["status"]["phase"] != "Pending" or "deletionTimestamp" in metadata:
        return
    if notes.get("volume.kubernetes.io/storage-provisioner") != PROVISIONER:
        return
    name = f"pvc-{metadata['uid']}"
    path = Path(folder, name)
    path.mkdir(mode=0o777, parents=True, exist_ok=True)
    path.chmod(0o777)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
            "local": {"path": str(path)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
                            ]
                        }
                    ]
                }
            },
        },
    }
    api.call("POST", "/api/v1/persistentvolumes", volume)
    print(f"provisioned {name} for {metadata['namespace']}/{metadata['name']}", flush=True)


def reclaim(api, folder, volume):
    metadata = volume["metadata"]
    notes = metadata.get("annotations", {})
    if (
        volume["status"].get("phase") != "Released"
        or notes.get("pv.kubernetes.io/provisioned-by") != PROVISIONER
    ):
        return
    if volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete" or "deletionTimestamp" in metadata:
        return
    shutil.rmtree(Path(folder, metadata["name"]), ignore_errors=True)
    api.call("DELETE", f"/api/v1/persistentvolumes/{metadata['name']}")
    print(f"reclaimed {metadata['name']}", flush=True)


def forever(objects, handle):
    while True:
        try:
            for item in objects():
                handle(item)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            print(f"again after: {error!r}", flush=True)
            time.sleep(1)


def main(kubeconfig, folder, node):
    os.umask(0)
    api = Api(kubeconfig)
    threading.Thread(
        target=forever,
        args=(lambda: api.objects("/api/v1/persistentvolumes"), lambda item: reclaim(api, folder, item)),
        daemon=True,
    ).start()
    forever(
        lambda: api.objects("/api/v1/persistentvolumeclaims"),
        lambda item: provision(api, folder, node, item),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
