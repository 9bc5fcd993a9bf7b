"""A pipeline on its way to the API server of Kubeflow Pipelines."""

from __future__ import annotations

import uuid


def form(pipeline: str) -> tuple[bytes, str]:
    """The body of an upload, and its Content-Type."""
    line = uuid.uuid4().hex
    head = f'--{line}\r\nContent-Disposition: form-data; name="uploadfile"; filename="pipeline.yaml"\r\n\r\n'
    return f"{head}{pipeline}\r\n--{line}--\r\n".encode(), f"multipart/form-data; boundary={line}"
