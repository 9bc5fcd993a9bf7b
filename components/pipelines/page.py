"""The page of Kubeflow Pipelines: there where people log in, as it believes the name that they come with."""

from __future__ import annotations

import json
from collections.abc import Sequence

from blueprints.names import team_namespace
from components.manifests import workloads
from components.manifests.metadata import App, Manifest, digest
from components.pipelines.parts import IDENTITY, METADATA_WEB, PAGE, PEOPLE, USER, Parts
from components.pipelines.pods import with_token
from components.scripts import script
from components.versions import KFP_UI, ImageSource

SIGNING_KEY = "signing-secret"
_DASHBOARD = "dashboard_lib.bundle.js"
"""What the page loads for the choice of a namespace; a whole Kubeflow serves one of its own."""
_TEAMS = "ziggurat_teams.json"
_RESOURCES = workloads.Resources(cpu="20m", memory="128Mi", memory_limit="512Mi")


def files(platform: str, teams: Sequence[str]) -> dict[str, str]:
    """The page's ConfigMap: which namespace is whose, and the choice among them."""
    namespaces = {team: team_namespace(platform, team) for team in teams}
    return {
        _DASHBOARD: script("pipelines_dashboard.js"),
        _TEAMS: json.dumps(namespaces, indent=1, sort_keys=True),
    }


def settings(parts: Parts) -> dict[str, str]:
    """The page's environment. Its defaults are addresses that Kubernetes would tell by links to Services."""
    return {
        "ML_PIPELINE_SERVICE_HOST": parts.door.name,
        "ML_PIPELINE_SERVICE_PORT": str(PEOPLE),
        "METADATA_ENVOY_SERVICE_SERVICE_HOST": parts.door.name,
        "METADATA_ENVOY_SERVICE_SERVICE_PORT": str(METADATA_WEB),
        "ENABLE_AUTHZ": "true",
        "KUBEFLOW_USERID_HEADER": IDENTITY,
        "KUBEFLOW_USERID_PREFIX": "",
        "DEPLOYMENT": "KUBEFLOW",  # runs belong to namespaces
        "HIDE_SIDENAV": "false",
        "FRONTEND_SERVER_NAMESPACE": parts.page.namespace,
        "DISABLE_GKE_METADATA": "true",
        "ALLOW_CUSTOM_VISUALIZATIONS": "false",
        # It would fetch what any run says is an artifact of the web.
        "ALLOWED_ARTIFACT_DOMAIN_REGEX": "^$",
        # Whose an artifact is, the metadata say, and not how its path begins.
        "ARTIFACT_NAMESPACE_OWNERSHIP_MODE": "mlmd-only",
        "ARGO_ARCHIVE_LOGS": "false",
    }


def pod(
    parts: Parts,
    images: ImageSource,
    teams: Sequence[str],
    store_env: Sequence[Manifest],
    fingerprint: str,
) -> Manifest:
    """The page's server. `fingerprint`: of the secret that it signs with."""
    app: App = parts.page
    configuration = settings(parts)
    served = [
        workloads.Volume(
            "files", {"configMap": {"name": app.name}}, f"/client/{name}", read_only=True, sub_path=name
        )
        for name in (_DASHBOARD, _TEAMS)
    ]
    tmp = workloads.scratch("tmp", "/tmp")  # noqa: S108  # a mount inside a container
    signing = workloads.from_secret(app.name, {"TENSORBOARD_PROXY_SIGNING_SECRET": SIGNING_KEY})
    alive: Manifest = {"tcpSocket": {"port": PAGE}, "timeoutSeconds": 5}
    main = workloads.container(
        app.name,
        images.reference(KFP_UI),
        resources=_RESOURCES,
        command=["node", "dist/server.js", "../client/", str(PAGE)],
        env=[*workloads.plain(configuration), *signing, *store_env],
        ports={"http": PAGE},
        volumes=[*served, tmp],
        probes={
            "startupProbe": {**alive, "periodSeconds": 2, "failureThreshold": 60},
            "readinessProbe": workloads.http_probe("/apis/v1beta1/healthz", PAGE, periodSeconds=5),
            "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
        },
    )
    template = workloads.pod_template(
        app,
        main,
        user=USER,
        config_hash=digest(configuration, files(app.platform, teams), list(store_env), fingerprint),
        volumes=[served[0], tmp],
        pull_secret=images.pull_secret,
        spread=True,
    )
    return with_token(template)
