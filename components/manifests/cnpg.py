"""CloudNativePG's objects (postgresql.cnpg.io/v1): the cluster of PostgreSQL servers, and its pooler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.manifests import configuration
from components.manifests.metadata import App, Manifest
from components.manifests.workloads import Resources, spread_over

API_VERSION = "postgresql.cnpg.io/v1"
_SECONDS = {"pulumi.com/timeoutSeconds": "1200"}
"""Twice what Pulumi waits by itself: one instance after the other is made, with its volume and image."""
_READY = {"pulumi.com/waitFor": "condition=Ready", **_SECONDS}
_ACTIVE = {"pulumi.com/waitFor": "jsonpath={.status.phase}=active", **_SECONDS}
_RELOAD = {"cnpg.io/reload": "true"}
"""The label by which the operator sees that a Secret has changed, and takes it over."""


def server_pods(cluster: str) -> tuple[tuple[str, str], ...]:
    """The labels of a cluster's instances and of the Jobs that prepare them, and of no pooler."""
    return (("cnpg.io/cluster", cluster), ("app.kubernetes.io/component", "database"))


def pooler_pods(pooler: str) -> tuple[tuple[str, str], ...]:
    """The labels of a pooler's pods."""
    return (("cnpg.io/poolerName", pooler),)


def owner_secret(app: App, name: str, owner: str, password: Any) -> Manifest:
    """The owner's credentials. The operator gives the role this password, now and whenever it changes."""
    manifest = configuration.secret(app, {"username": owner, "password": password}, name)
    metadata = {**manifest["metadata"], "labels": {**app.labels, **_RELOAD}}
    return {**manifest, "type": "kubernetes.io/basic-auth", "metadata": metadata}


PLUGIN = "barman-cloud.cloudnative-pg.io"
"""What the Barman Cloud plugin is called."""
_ORIGIN = "origin"
"""What a Cluster calls the one that it is recovered from."""


@dataclass(frozen=True)
class Source:
    """The archive that a cluster is recovered from."""

    store: str
    """The ObjectStore that says where it lies."""
    server_name: str
    """The folder there."""
    target_time: str | None = None
    """The moment that is recovered; None for the last one that there is."""


@dataclass(frozen=True)
class Archiver:
    """Where a cluster writes its archive, and which one it began with."""

    store: str
    """The ObjectStore that says where it lies."""
    server_name: str
    """The folder there."""
    source: Source | None = None
    account_annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    pod_labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Servers:
    """What a cluster of servers is made of."""

    instances: int
    image: str
    storage: str
    storage_class: str | None
    resources: Resources
    parameters: Mapping[str, str]
    """postgresql.conf."""
    synchronous: int
    """How many standbys have a commit before it is acknowledged, as long as so many are well."""
    database: str
    owner: str
    owner_secret: str
    alternative_names: Sequence[str]
    """Further names that the servers' certificate is good for."""
    pull_secret: str | None = None
    archiver: Archiver | None = None


def _plugin(store: str, server_name: str) -> Manifest:
    return {"name": PLUGIN, "parameters": {"barmanObjectName": store, "serverName": server_name}}


def _archive(archiver: Archiver | None) -> Manifest:
    """The parts of a Cluster's spec that an archive adds."""
    if archiver is None:
        return {}
    account, labels = archiver.account_annotations, archiver.pod_labels
    return {
        "plugins": [{**_plugin(archiver.store, archiver.server_name), "isWALArchiver": True}],
        **({"serviceAccountTemplate": {"metadata": {"annotations": dict(account)}}} if account else {}),
        **({"inheritedMetadata": {"labels": dict(labels)}} if labels else {}),
    }


def _origin(servers: Servers) -> Manifest:
    """What the data begins with: an empty database, or an archive. In both the owner gets its password."""
    owner = {
        "database": servers.database,
        "owner": servers.owner,
        "secret": {"name": servers.owner_secret},
    }
    source = servers.archiver.source if servers.archiver else None
    if source is None:
        return {"bootstrap": {"initdb": {**owner, "encoding": "UTF8", "dataChecksums": True}}}
    target = {"recoveryTarget": {"targetTime": source.target_time}} if source.target_time else {}
    return {
        "bootstrap": {"recovery": {**owner, "source": _ORIGIN, **target}},
        "externalClusters": [{"name": _ORIGIN, "plugin": _plugin(source.store, source.server_name)}],
    }


def scheduled_backup(app: App, name: str, cluster_name: str, schedule: str) -> Manifest:
    """Base backups by the plugin, by five cron fields in UTC (CloudNativePG wants seconds before them).

    The first is made at once: an archive without one can recover nothing. Their objects go with the Cluster.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "ScheduledBackup",
        "metadata": app.metadata(name),
        "spec": {
            "cluster": {"name": cluster_name},
            "schedule": f"0 {schedule}",
            "immediate": True,
            "backupOwnerReference": "cluster",
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
    }


def cluster(app: App, servers: Servers) -> Manifest:
    """PostgreSQL servers, one of them primary. Its claims are its own: who deletes it deletes the data."""
    pull = {"imagePullSecrets": [{"name": servers.pull_secret}]} if servers.pull_secret else {}
    storage: Manifest = {"size": servers.storage}
    if servers.storage_class:
        storage["storageClass"] = servers.storage_class
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": app.metadata(annotations=_READY),
        "spec": {
            "description": f"The registry database of {app.platform}",
            "instances": servers.instances,
            "imageName": servers.image,
            "imagePullPolicy": "IfNotPresent",
            **pull,
            **_origin(servers),
            **_archive(servers.archiver),
            "enableSuperuserAccess": False,
            "certificates": {"serverAltDNSNames": list(servers.alternative_names)},
            "postgresql": {
                "parameters": dict(servers.parameters),
                # After the operator's own rules and before its last one, which lets in who has a password.
                "pg_hba": ["hostnossl all all all reject"],
                "synchronous": {
                    "method": "any",
                    "number": servers.synchronous,
                    "dataDurability": "preferred",
                },
            },
            "storage": storage,
            "resources": servers.resources.manifest(),
            "affinity": {
                "enablePodAntiAffinity": True,
                "podAntiAffinityType": "preferred",
                "topologyKey": "kubernetes.io/hostname",
            },
            "topologySpreadConstraints": spread_over(app.selector),
            "enablePDB": True,
            "primaryUpdateStrategy": "unsupervised",
            "primaryUpdateMethod": "switchover",
        },
    }


@dataclass(frozen=True)
class Pool:
    """What a pooler is made of."""

    instances: int
    image: str
    resources: Resources
    parameters: Mapping[str, str]
    """pgbouncer.ini."""
    pull_secret: str | None = None


def pooler(app: App, cluster_name: str, pool: Pool) -> Manifest:
    """PgBouncers in front of the primary, in transaction mode."""
    pull = {"imagePullSecrets": [{"name": pool.pull_secret}]} if pool.pull_secret else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Pooler",
        "metadata": app.metadata(annotations=_ACTIVE),
        "spec": {
            "cluster": {"name": cluster_name},
            "type": "rw",
            "instances": pool.instances,
            "pgbouncer": {
                "image": pool.image,
                "poolMode": "transaction",
                "parameters": dict(pool.parameters),
            },
            "deploymentStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/part-of": "ziggurat"}},
                "spec": {
                    **pull,
                    "topologySpreadConstraints": spread_over(app.selector),
                    # The operator finds it by this name and fills in the rest.
                    "containers": [{"name": "pgbouncer", "resources": pool.resources.manifest()}],
                },
            },
        },
    }
