"""The values of the chart kube-prometheus-stack: Prometheus, Alertmanager, Grafana and what they need.

It watches the platform and not the cluster: what the chart has for API server, etcd, scheduler and nodes is
off. So is the node exporter, whose pods need the host: whoever runs the cluster has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blueprints.model.monitoring import Alerts, Monitoring
from blueprints.quantities import amount
from components.manifests.metadata import CONFIG_HASH, App
from components.manifests.monitoring import DASHBOARD
from components.manifests.network import NAMESPACE
from components.manifests.workloads import Resources
from components.monitoring.parts import GRAFANA, release_name
from components.versions import ImageSource
from components.versions import monitoring as versions
from components.versions.model import Image

if TYPE_CHECKING:
    from components.monitoring.login import GrafanaLogin

ADMIN = "grafana-admin"
"""The Secret with Grafana's administrator."""
ADMIN_KEYS = ("username", "password")
"""The keys of that Secret: user and password."""
_SECRETS = "/etc/alertmanager/secrets"
"""Where Alertmanager sees Secrets that are named in its resource."""
_RECEIVER = "platform"

_OPERATOR = Resources(cpu="50m", memory="96Mi", memory_limit="256Mi")
_RELOADER = Resources(cpu="10m", memory="32Mi", memory_limit="64Mi")
_PROMETHEUS = Resources(cpu="200m", memory="768Mi", memory_limit="2Gi")
_ALERTMANAGER = Resources(cpu="10m", memory="64Mi", memory_limit="128Mi")
_GRAFANA = Resources(cpu="50m", memory="192Mi", memory_limit="512Mi")
_SIDECAR = Resources(cpu="10m", memory="80Mi", memory_limit="160Mi")
_STATE_METRICS = Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")

_NOT_WATCHED = (
    "kubeApiServer",
    "kubeControllerManager",
    "coreDns",
    "kubeDns",
    "kubeEtcd",
    "kubeScheduler",
    "kubeProxy",
    "nodeExporter",
)
_COLLECTORS = (
    "cronjobs",
    "daemonsets",
    "deployments",
    "jobs",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "pods",
    "resourcequotas",
    "statefulsets",
)
"""What kube-state-metrics reads. By default it reads Secrets, too."""
_CONTAINERS = (
    "container_(cpu_usage_seconds_total|memory_working_set_bytes|network_(receive|transmit)_bytes_total)"
)


def claim_name(platform: str) -> str:
    """The claim that Prometheus's StatefulSet takes: the operator's naming, for its one replica."""
    name = f"prometheus-{release_name(platform)}-prometheus"
    return f"{name}-db-{name}-0"


def _image(image: Image, images: ImageSource) -> dict[str, Any]:
    registry = images.registry or image.registry
    return {"registry": registry, "repository": image.repository, "tag": image.tag}


def values(
    app: App,
    monitoring: Monitoring,
    images: ImageSource,
    admin_fingerprint: str,
    login: GrafanaLogin | None = None,
) -> dict[str, Any]:
    """The chart's values; `admin_fingerprint` restarts Grafana with a new password, `login` is how people get
    in where there is a single sign-on."""
    return {
        "fullnameOverride": release_name(app.platform),
        "global": {"imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else []},
        "crds": {"enabled": True, "upgradeJob": {"enabled": False}},
        # The platform's own rules and dashboards are objects of its own.
        "defaultRules": {"create": False},
        "prometheusOperator": _operator(app, images),
        "prometheus": {"prometheusSpec": _prometheus(app, monitoring, images)},
        "alertmanager": _alertmanager(monitoring.alerts, images),
        "grafana": _grafana(monitoring, images, admin_fingerprint, login),
        "kubelet": _kubelet(app),
        "kubeStateMetrics": {"enabled": True},
        "kube-state-metrics": _state_metrics(app, images),
        **{part: {"enabled": False} for part in _NOT_WATCHED},
    }


def _operator(app: App, images: ImageSource) -> dict[str, Any]:
    return {
        "image": _image(versions.OPERATOR_IMAGE, images),
        "resources": _OPERATOR.manifest(),
        "prometheusConfigReloader": {
            "image": _image(versions.RELOADER_IMAGE, images),
            "resources": _RELOADER.manifest(),
        },
        # In this namespace alone: another operator may see to the rest of the cluster.
        "namespaces": {"releaseNamespace": True},
        # They check the syntax of rules, which ours are tested for; the API server would have to reach them.
        "admissionWebhooks": {"enabled": False},
        "tls": {"enabled": False},
        "serviceMonitor": {"selfMonitor": False},
    }


def _prometheus(app: App, monitoring: Monitoring, images: ImageSource) -> dict[str, Any]:
    here = {"matchLabels": {NAMESPACE: app.namespace}}
    kinds = ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")
    selectors = {f"{kind}SelectorNilUsesHelmValues": False for kind in kinds}
    selectors |= {f"{kind}NamespaceSelector": here for kind in kinds}
    storage_class = {"storageClassName": monitoring.storage_class} if monitoring.storage_class else {}
    room = int(amount(monitoring.storage) * 4 / 5) // 2**20
    return {
        "image": _image(versions.PROMETHEUS_IMAGE, images),
        "replicas": 1,
        "resources": _PROMETHEUS.manifest(),
        "retention": monitoring.retention,
        "retentionSize": f"{room}MiB",
        "scrapeInterval": "30s",
        "evaluationInterval": "30s",
        "enableAdminAPI": False,
        "externalLabels": {"platform": app.platform},
        "storageSpec": {
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": monitoring.storage}},
                    **storage_class,
                }
            }
        },
        **selectors,
    }


def _alertmanager(alerts: Alerts | None, images: ImageSource) -> dict[str, Any]:
    """Without somebody to tell, there is none."""
    if alerts is None:
        return {"enabled": False}
    receiver = alerts.receiver
    file = f"{_SECRETS}/{alerts.secret.secret_name}/{alerts.secret.key}"
    settings: dict[str, Any] = {"send_resolved": True}
    if receiver == "slack":
        settings |= {"api_url_file": file, **({"channel": alerts.channel} if alerts.channel else {})}
        settings |= {
            "title": "{{ .Status | toUpper }}: {{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }})",
            "text": "{{ range .Alerts }}{{ .Annotations.summary }}. To do: {{ .Annotations.remedy }}\n"
            "{{ end }}",
        }
    else:
        settings["url_file"] = file
    return {
        "enabled": True,
        "config": {
            "global": {"resolve_timeout": "5m"},
            "inhibit_rules": [
                {
                    "source_matchers": ['severity = "page"'],
                    "target_matchers": ['severity = "ticket"'],
                    "equal": ["platform", "alertname"],
                }
            ],
            "route": {
                "receiver": _RECEIVER,
                "group_by": ["platform", "alertname"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "12h",
                "routes": [],
            },
            "receivers": [{"name": _RECEIVER, f"{receiver}_configs": [settings]}],
            "templates": [],
        },
        "serviceMonitor": {"selfMonitor": False},
        "alertmanagerSpec": {
            "image": _image(versions.ALERTMANAGER_IMAGE, images),
            "resources": _ALERTMANAGER.manifest(),
            "secrets": [alerts.secret.secret_name],
            "automountServiceAccountToken": False,
        },
    }


def _grafana(
    monitoring: Monitoring, images: ImageSource, admin_fingerprint: str, login: GrafanaLogin | None
) -> dict[str, Any]:
    """Grafana keeps nothing: dashboards and the data source are files that a sidecar writes."""
    server = {"root_url": f"https://{monitoring.host}/"} if monitoring.host else {}
    return {
        "enabled": True,
        "fullnameOverride": "grafana",
        "image": _image(versions.GRAFANA_IMAGE, images),
        "service": {"port": GRAFANA},
        "resources": _GRAFANA.manifest(),
        "admin": {"existingSecret": ADMIN, "userKey": ADMIN_KEYS[0], "passwordKey": ADMIN_KEYS[1]},
        "podAnnotations": {CONFIG_HASH: admin_fingerprint},
        "defaultDashboardsEnabled": False,
        "persistence": {"enabled": False},
        "testFramework": {"enabled": False},
        "serviceMonitor": {"enabled": False},
        # Its rights end at its own namespace; there are the dashboards.
        "rbac": {"namespaced": True},
        "sidecar": {
            "image": _image(versions.SIDECAR_IMAGE, images),
            "resources": _SIDECAR.manifest(),
            # The chart says ALL. Empty is the namespace that it runs in; null is lost on some ways to Helm.
            "dashboards": {
                "enabled": True,
                "label": DASHBOARD,
                "labelValue": "1",
                "searchNamespace": "",
                "resource": "configmap",
            },
            "datasources": {
                "enabled": True,
                "searchNamespace": "",
                "resource": "configmap",
                "alertmanager": {"enabled": monitoring.alerts is not None},
            },
        },
        "grafana.ini": {
            "server": server,
            "analytics": {
                "reporting_enabled": False,
                "check_for_updates": False,
                "check_for_plugin_updates": False,
            },
            "news": {"news_feed_enabled": False},
            "plugins": {"preinstall_disabled": True},
            "security": {"disable_gravatar": True, "cookie_secure": monitoring.host is not None},
            "users": {"allow_sign_up": False, **({"auto_assign_org_role": "Admin"} if login else {})},
            **({"auth.generic_oauth": login.settings} if login else {}),
        },
        **(login.chart() if login else {}),
    }


def _kubelet(app: App) -> dict[str, Any]:
    """Containers and volumes of the platform's namespaces, and of no others."""
    here = {"sourceLabels": ["namespace"], "action": "keep", "regex": f"{app.platform}(-.+)?"}
    return {
        "enabled": True,
        "serviceMonitor": {
            "probes": False,
            "cAdvisorInterval": "30s",
            "metricRelabelings": [_named("kubelet_volume_stats_.+"), here],
            "cAdvisorMetricRelabelings": [_named(_CONTAINERS), here],
        },
    }


def _named(regex: str) -> dict[str, Any]:
    return {"sourceLabels": ["__name__"], "action": "keep", "regex": regex}


def _state_metrics(app: App, images: ImageSource) -> dict[str, Any]:
    """What Kubernetes knows of the platform's objects; nodes belong to no namespace."""
    here = {"sourceLabels": ["namespace"], "action": "keep", "regex": f"({app.platform}(-.+)?)?"}
    return {
        "image": _image(versions.STATE_METRICS_IMAGE, images),
        "resources": _STATE_METRICS.manifest(),
        "collectors": list(_COLLECTORS),
        "prometheus": {"monitor": {"http": {"metricRelabelings": [here]}}},
    }
