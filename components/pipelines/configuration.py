"""What the engine is configured by, as documents: the API server's, Argo's, and a team's."""

from __future__ import annotations

import json
from dataclasses import dataclass

from blueprints.model.pipelines import Pipelines
from blueprints.names import team_namespace
from components.manifests.metadata import Manifest
from components.pipelines.parts import HTTP, IDENTITY, RUNNER, TRACKING, Parts, address, tracking_path
from components.pipelines.stores import RunStore, team_root

RUN_USER = 65532
"""The user of every container of a run: those of the images that Kubeflow Pipelines brings, and one for all,
as the containers of a pod hand files to each other. The tasks' own images need not know it."""
API_DATABASE = "mlpipeline"
METADATA_DATABASE = "metadb"
LAUNCHER = "kfp-launcher"
METADATA_ADDRESS = "metadata-grpc-configmap"
MLFLOW_SECRET = "kfp-mlflow-credentials"  # noqa: S105  # the name of a Secret


@dataclass(frozen=True)
class Pages:
    """Under which names people open what: links lead there."""

    pipelines: str | None = None
    tracking: str | None = None


def api_config(
    pipelines: Pipelines,
    parts: Parts,
    database: tuple[str, int],
    store: Manifest,
    teams: tuple[str, ...],
    pages: Pages,
) -> Manifest:
    """`config.json` of the API server, in whole: the image's own sends every run to an MLflow elsewhere.

    Keys without lower case are those that upstream sets by environment; the file holds them as well.
    """
    host, port = database
    return {
        "DBDriverName": "mysql",
        "DBConfig": {
            "ConMaxLifeTime": "120s",
            "MySQLConfig": {
                "DBName": API_DATABASE,
                "Host": host,
                "Port": str(port),
                "GroupConcatMaxLen": "4194304",
            },
        },
        "ObjectStoreConfig": store,
        "InitConnectionTimeout": "6m",
        "ARCHIVE_CONFIG_LOG_FILE_NAME": "main.log",
        "ARCHIVE_CONFIG_LOG_PATH_PREFIX": "/artifacts",
        "CRON_SCHEDULE_TIMEZONE": "UTC",
        "CacheEnabled": "true",
        "AUTO_UPDATE_PIPELINE_DEFAULT_VERSION": "true",
        # Every run belongs to a namespace and is asked for by somebody.
        "MULTIUSER": "true",
        # Pipelines without a namespace are open to everybody, uploads without a name included.
        "REQUIRE_NAMESPACE_FOR_PIPELINES": "true",
        "KUBEFLOW_USERID_HEADER": IDENTITY,
        "KUBEFLOW_USERID_PREFIX": "",
        "DEFAULTPIPELINERUNNERSERVICEACCOUNT": RUNNER,
        # Version 1 runs tasks as whoever their image says, and knows neither teams' roots nor MLflow.
        "BLOCK_V1_PIPELINES": "true",
        # The team's namespace admits restricted pods alone; tasks say nothing of this themselves.
        "DEFAULT_SECURITY_CONTEXT_RUN_AS_USER": str(RUN_USER),
        "DEFAULT_SECURITY_CONTEXT_RUN_AS_GROUP": str(RUN_USER),
        "DEFAULT_SECURITY_CONTEXT_RUN_AS_NON_ROOT": "true",
        # A server that is not there (it is of version 1), whose address it ends without.
        "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_HOST": "localhost",
        "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_PORT": str(HTTP),
        "VISUALIZATIONSERVICE_NAME": "none",
        "VISUALIZATIONSERVICE_PORT": str(HTTP),
        "plugins": {"mlflow": mlflow_plugin(pipelines, parts, teams, pages)},
    }


def mlflow_plugin(pipelines: Pipelines, parts: Parts, teams: tuple[str, ...], pages: Pages) -> Manifest:
    """Every run is an MLflow run of its team.

    Told of workspaces, the plugin takes the namespace's name for the workspace's, and nothing else. So it is
    told nothing, and each namespace has an endpoint of its own: a path of the door, which says the workspace.
    """
    links = {
        "kfpBaseURL": f"https://{pages.pipelines}" if pages.pipelines else None,
        "mlflowBaseURL": f"https://{pages.tracking}" if pages.tracking else None,
    }
    base = f"http://{address(parts.door)}:{TRACKING}"
    platform = parts.engine.platform
    return {
        "endpoint": base,
        "timeout": "30s",
        "settings": {
            "authType": "basic-auth",
            "workspacesEnabled": False,
            "defaultExperimentName": pipelines.experiment,
            "experimentDescription": "Runs of Kubeflow Pipelines",
            "injectUserEnvVars": True,
            **{key: value for key, value in links.items() if value},
        },
        "namespaces": {
            team_namespace(platform, team): {"endpoint": f"{base}{tracking_path(team)}"} for team in teams
        },
    }


def launcher(store: RunStore, team: str) -> dict[str, str]:
    """ConfigMap `kfp-launcher` of a team: where its runs keep artifacts, and how they log in to MLflow.

    Of the plugin's settings no others than these four are taken here (2.17.0): others are an error.
    """
    plugin = {"settings": {"credentialSecretRef": {"usernameKey": "username", "passwordKey": "password"}}}
    return {
        "defaultPipelineRoot": team_root(store, team),
        "providers": json.dumps(store.providers, indent=1, sort_keys=True),
        "plugins.mlflow": json.dumps(plugin),
    }


def metadata_address(parts: Parts, port: int) -> dict[str, str]:
    """ConfigMap `metadata-grpc-configmap` of a team, by which tasks find the metadata store."""
    return {
        "METADATA_GRPC_SERVICE_HOST": address(parts.metadata),
        "METADATA_GRPC_SERVICE_PORT": str(port),
    }


def workflow_config(pipelines: Pipelines) -> dict[str, str]:
    """ConfigMap of Argo's controller: each value is a document of its own, and JSON is YAML."""
    seconds = pipelines.keep_finished_hours * 3600
    ttl = dict.fromkeys(
        ("secondsAfterCompletion", "secondsAfterSuccess", "secondsAfterFailure"),
        seconds,
    )
    executor = {
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": RUN_USER,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    # A task's MLflow client would fetch artifacts from the store itself, by a name that no team reaches.
    tasks = {
        "env": [
            {"name": "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "value": "false"},
            {"name": "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "value": "false"},
        ]
    }
    documents: dict[str, Manifest] = {
        "executor": executor,
        "mainContainer": tasks,
        "metricsConfig": {"enabled": True, "secure": False},
        "workflowDefaults": {
            "spec": {
                "ttlStrategy": ttl,
                "templateDefaults": {"retryStrategy": {"limit": "2", "retryPolicy": "OnError"}},
            }
        },
    }
    found = {key: json.dumps(value, indent=1, sort_keys=True) for key, value in documents.items()}
    if pipelines.parallelism:
        found["namespaceParallelism"] = str(pipelines.parallelism)
    return found
