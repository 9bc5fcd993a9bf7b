"""The kinds of single values that a blueprint holds, each with its rule.

Patterns are written as Kubernetes documents them; blueprints/rules.py checks what a pattern cannot.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Label = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
"""A name that becomes part of Kubernetes names: lower case letters, digits and dashes, from a letter on."""

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
"""The name of an object that exists already, such as a brought Secret (RFC 1123 subdomain)."""

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$")]
"""A Kubernetes quantity, such as `500m`, `2` or `20Gi`."""

HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$", max_length=253)]
"""A DNS name with at least one dot, without scheme, port or path."""

HttpsUrl = Annotated[str, Field(pattern=r"^https://[^\s/?#]+(/[^\s?#]*)?$", max_length=2048)]
"""An https URL without query or fragment."""

UserName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9._@]*[a-z0-9])?$", max_length=63)]
"""The name of an MLflow user."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port."""
