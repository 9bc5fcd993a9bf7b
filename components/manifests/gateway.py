"""Objects of the Gateway API (gateway.networking.k8s.io/v1), and of Envoy Gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.manifests.metadata import App, Manifest

GROUP = "gateway.networking.k8s.io"
ENVOY = "gateway.envoyproxy.io"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
HTTP = "http"
"""The listener that takes what is not encrypted."""


def listener(door: str) -> str:
    """The listener of a host name."""
    return f"https-{door}"


def envoy_proxy(app: App, namespace: str, name: str, labels: Mapping[str, str], replicas: int) -> Manifest:
    """How the pods of a gateway are; `labels` are added to those that they have."""
    deployment = {
        "replicas": replicas,
        "pod": {"labels": dict(labels)},
        "container": {
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
        },
    }
    return {
        "apiVersion": f"{ENVOY}/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": name, "namespace": namespace, "labels": app.labels},
        "spec": {"provider": {"type": "Kubernetes", "kubernetes": {"envoyDeployment": deployment}}},
    }


def gateway_class(app: App, name: str, parameters: Manifest) -> Manifest:
    """Envoy Gateway's class of gateways; its pods are as the EnvoyProxy `parameters` says."""
    reference = {
        "group": ENVOY,
        "kind": "EnvoyProxy",
        "name": parameters["metadata"]["name"],
        "namespace": parameters["metadata"]["namespace"],
    }
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name, "labels": app.labels},
        "spec": {"controllerName": CONTROLLER, "parametersRef": reference},
    }


def gateway(app: App, class_name: str, certificates: Mapping[str, tuple[str, str]]) -> Manifest:
    """Listens to http for every host, and to https for each of `certificates`: {door: (host, Secret)}.

    Routes of its own namespace alone belong to it.
    """
    here = {"namespaces": {"from": "Same"}}
    listeners: list[Manifest] = [{"name": HTTP, "port": 80, "protocol": "HTTP", "allowedRoutes": here}]
    listeners += [
        {
            "name": listener(door),
            "port": 443,
            "protocol": "HTTPS",
            "hostname": host,
            "tls": {"mode": "Terminate", "certificateRefs": [{"name": secret}]},
            "allowedRoutes": here,
        }
        for door, (host, secret) in certificates.items()
    ]
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gateway",
        "metadata": app.metadata(),
        "spec": {"gatewayClassName": class_name, "listeners": listeners},
    }


def parent(name: str, namespace: str, section: str | None = None) -> Manifest:
    """The Gateway, or one listener of it, that a route belongs to."""
    return {"name": name, "namespace": namespace, **({"sectionName": section} if section else {})}


def route(
    app: App,
    name: str,
    host: str,
    parents: Sequence[Manifest],
    backend: tuple[App, int],
    matches: Sequence[Manifest] = (),
) -> Manifest:
    """Leads a host name, or what of it `matches`, to the Service of `backend` on a port.

    Where that lies in another namespace, a `grant` there has to let it.

    It has no time of its own in which a request must end: uploads and notebooks last as long as they do.
    """
    served, port = backend
    elsewhere = {"namespace": served.namespace} if served.namespace != app.namespace else {}
    rule: Manifest = {
        "backendRefs": [{"name": served.name, "port": port, **elsewhere}],
        "timeouts": {"request": "0s"},
        "matches": list(matches) or [path("PathPrefix", "/")],
    }
    return _route(app, name, [host], parents, rule)


def grant(app: App, served: App, namespace: str) -> Manifest:
    """Lets routes in `namespace` lead to the Service of `served`; `app` is whose the object is."""
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": app.metadata(served.name),
        "spec": {
            "from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": namespace}],
            "to": [{"group": "", "kind": "Service", "name": served.name}],
        },
    }


def path(kind: str, value: str) -> Manifest:
    """What a route matches: `Exact`, or `PathPrefix`, which ends at a slash."""
    return {"path": {"type": kind, "value": value}}


def redirect(app: App, name: str, hosts: Sequence[str], parents: Sequence[Manifest]) -> Manifest:
    """Sends whoever comes by http to https."""
    to_https = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    return _route(app, name, hosts, parents, {"filters": [to_https]})


def _route(
    app: App, name: str, hosts: Sequence[str], parents: Sequence[Manifest], rule: Manifest
) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": app.metadata(name),
        "spec": {"parentRefs": list(parents), "hostnames": list(hosts), "rules": [rule]},
    }


def client_traffic_policy(app: App, gateway: str, removed: Sequence[str]) -> Manifest:
    """Takes headers from every request, before anything looks at it."""
    return {
        "apiVersion": f"{ENVOY}/v1alpha1",
        "kind": "ClientTrafficPolicy",
        "metadata": app.metadata(),
        "spec": {
            "targetRefs": [{"group": GROUP, "kind": "Gateway", "name": gateway}],
            "headers": {"earlyRequestHeaders": {"remove": list(removed)}},
        },
    }


def security_policy(app: App, name: str, route: str, spec: Manifest) -> Manifest:
    """Who may use a route."""
    return {
        "apiVersion": f"{ENVOY}/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": app.metadata(name),
        "spec": {"targetRefs": [{"group": GROUP, "kind": "HTTPRoute", "name": route}], **spec},
    }
