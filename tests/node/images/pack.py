"""Adds an image made of root file system folders to an OCI image layout folder.

usage: pack.py LAYOUT REFERENCE CONFIG_JSON LAYER_FOLDER...

A layer folder is a whole root file system or the upper folder of an overlay mount
(its whiteouts become .wh. files). It is packed once, into LAYER_FOLDER.tar, which LAYOUT links to.
`tar -C LAYOUT -c . | ctr images import -` reads the result; layers with the same content are stored once.
"""

# ruff: noqa: PTH118, SIM115
# Paths of archive members are text, and there are 50,000 of them; the open file is closed by who uses it.
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
from pathlib import Path


class Hashing(io.RawIOBase):
    """A file that knows the digest of what was written to it."""

    def __init__(self, path):
        self.file, self.hash, self.size = Path(path).open("wb", buffering=1 << 20), hashlib.sha256(), 0

    def writable(self):
        return True

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)


def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


def add_folder(tar, folder):
    for current, folders, files in os.walk(folder):
        folders.sort()
        relative = os.path.relpath(current, folder)
        if relative != "." and is_opaque(current):
            tar.addfile(tarfile.TarInfo(os.path.join(relative, ".wh..wh..opq")))
        for name in sorted(folders + files):
            path = os.path.join(current, name)
            member = os.path.normpath(os.path.join(relative, name))
            status = os.lstat(path)
            if stat.S_ISSOCK(status.st_mode):
                continue
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                tar.addfile(tarfile.TarInfo(os.path.join(relative, f".wh.{name}")))
            else:
                tar.add(path, member, recursive=False)


def add_layer(blobs, folder):
    archive, notes = Path(f"{folder}.tar"), Path(f"{folder}.json")
    if not notes.exists():
        out = Hashing(archive)
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
            add_folder(tar, folder)
        out.file.close()
        notes.write_text(json.dumps({"digest": f"sha256:{out.hash.hexdigest()}", "size": out.size}))
    found = json.loads(notes.read_text())
    blob = blobs / found["digest"].removeprefix("sha256:")
    if not blob.exists():
        os.link(archive, blob)
    return {"mediaType": "application/vnd.oci.image.layer.v1.tar", **found}


def add_json(blobs, media_type, value):
    data = json.dumps(value, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def main(layout, reference, config, *folders):
    layout = Path(layout)
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    layers = [add_layer(blobs, folder) for folder in folders]
    image = {
        "architecture": "amd64",
        "os": "linux",
        "config": json.loads(config),
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = add_json(
        blobs,
        "application/vnd.oci.image.manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": add_json(blobs, "application/vnd.oci.image.config.v1+json", image),
            "layers": layers,
        },
    )
    manifest["platform"] = {"architecture": "amd64", "os": "linux"}
    manifest["annotations"] = {"io.containerd.image.name": reference}
    index_path = layout / "index.json"
    index = (
        json.loads(index_path.read_text()) if index_path.exists() else {"schemaVersion": 2, "manifests": []}
    )
    index["manifests"] = [
        other for other in index["manifests"] if other["annotations"]["io.containerd.image.name"] != reference
    ] + [manifest]
    index_path.write_text(json.dumps(index))


if __name__ == "__main__":
    main(*sys.argv[1:])
