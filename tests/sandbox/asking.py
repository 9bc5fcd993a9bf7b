"""What tests ask an API server for, as whoever they are."""

from __future__ import annotations

from typing import Any

from ziggurat.cluster import Cluster, Object, Refused, plural


def post(cluster: Cluster, made: Object, *, keep: bool = True) -> Object:
    """Makes an object, every field of which the API server has to know; `Refused` where it will not."""
    group = "apis" if "/" in made["apiVersion"] else "api"
    where = f"/{group}/{made['apiVersion']}/namespaces/{made['metadata']['namespace']}/{plural(made['kind'])}"
    return cluster.request("POST", f"{where}?fieldValidation=Strict{'' if keep else '&dryRun=All'}", made)


def refusal(cluster: Cluster, made: Object) -> str:
    """What the API server says to an object that it does not take; empty if it would."""
    try:
        post(cluster, made, keep=False)
    except Refused as refused:
        return refused.message
    return ""


def names(objects: list[Any]) -> list[str]:
    """What objects are called."""
    return [each["metadata"]["name"] for each in objects]
