"""Reading a cluster: is it there, is it the one we mean, may we do what we are going to, how are its objects.

Only backups make and delete objects by this (their Jobs). Everything goes to exactly the kubeconfig and
context that the caller names; the ambient ones are never used. Requests are small and their time limits
short, so that a command says soon that a cluster does not answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from ziggurat.errors import ClusterError

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0

Object = dict[str, Any]

PLURALS: dict[str, str] = {
    "NetworkPolicy": "networkpolicies",
    "Ingress": "ingresses",
    "StorageClass": "storageclasses",
    "PriorityClass": "priorityclasses",
    "Endpoints": "endpoints",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}
"""Plurals in a resource's path, beside what `plural` makes of a kind."""


class Refused(Exception):  # noqa: N818 - an answer, which callers turn into an error or not
    """An answer of the API server that is an error: its HTTP status and its sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Cluster:
    """One cluster, as one kubeconfig context shows it."""

    def __init__(self, kubeconfig: Path | None, context: str) -> None:
        """Reads the kubeconfig (None: `$KUBECONFIG` or `~/.kube/config`); ClusterError says what it lacks."""
        from kubernetes import config  # late: 0.5 s

        self.context = context
        self.kubeconfig = kubeconfig
        self._where = f"context {context}{f' of {kubeconfig}' if kubeconfig else ''}"
        try:
            client: Any = config.new_client_from_config(
                config_file=str(kubeconfig) if kubeconfig else None, context=context
            )
        except (config.ConfigException, OSError, ValueError) as error:
            raise ClusterError(
                f"the kubeconfig cannot be used: {error}",
                where=self._where,
                remedy="name a context that it has (kubectl config get-contexts), in `cluster.context`",
            ) from error
        self._configuration: Any = client.configuration
        self._pool: Any = client.rest_client.pool_manager

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._configuration.host)

    def request(self, method: str, path: str, body: Object | None = None) -> Object:
        """One request; `Refused` for an error of the API server, ClusterError if it does not answer."""
        return _parsed(self._send(method, path, body))

    def text(self, path: str) -> str:
        """What is no JSON, such as a pod's log; errors as of `objects`."""
        try:
            return self._send("GET", path).decode(errors="replace")
        except Refused as refused:
            raise self._as_error(refused) from refused

    def create(self, made: Object) -> None:
        """Makes an object; errors as of `objects`."""
        path = _collection(made["apiVersion"], made["kind"], made["metadata"]["namespace"])
        try:
            self.request("POST", path, made)
        except Refused as refused:
            raise self._as_error(refused) from refused

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """Deletes an object and then what belongs to it; none being there is fine."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            self.request("DELETE", f"{_collection(api_version, kind, namespace)}/{name}", options)
        except Refused as refused:
            if refused.status != 404:
                raise self._as_error(refused) from refused

    def _send(self, method: str, path: str, body: Object | None = None) -> bytes:
        import urllib3

        headers = {
            "Accept": "application/json, */*",
            "Content-Type": "application/json",
        } | self._credentials()
        try:
            response = self._pool.request(
                method,
                self.server.rstrip("/") + path,
                headers=headers,
                body=json.dumps(body) if body is not None else None,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(
                f"the cluster does not answer: {_reason(error)}",
                where=f"{self.server} ({self._where})",
                remedy="check that it runs, and the address and certificates of the kubeconfig",
            ) from error
        if response.status == 401:
            raise ClusterError(
                "the cluster refuses the credentials of the kubeconfig: they are wrong or have expired",
                where=f"{self.server} ({self._where})",
                remedy="log in to the cluster again, then run the same command again",
            )
        if response.status >= 400:
            answer = _parsed(response.data)
            raise Refused(response.status, str(answer.get("message") or response.reason or response.status))
        return bytes(response.data)

    def websocket(self, path: str, protocol: str, seconds: float) -> Any:
        """An open WebSocket (of websocket-client) to a path of the API server; errors as of `request`.

        `protocol` is the subprotocol to speak; nothing waits for longer than `seconds`.
        """
        import ssl

        import websocket  # late: few commands need it

        known = self._configuration
        tls = {
            "ca_certs": known.ssl_ca_cert,
            "certfile": known.cert_file,
            "keyfile": known.key_file,
            "server_hostname": known.tls_server_name,
        }
        try:
            return websocket.create_connection(
                "ws" + self.server.removeprefix("http").rstrip("/") + path,  # https becomes wss
                timeout=seconds,
                subprotocols=[protocol],
                header=[f"{name}: {value}" for name, value in self._credentials().items()],
                sslopt={key: value for key, value in tls.items() if value}
                | {"cert_reqs": ssl.CERT_REQUIRED if known.verify_ssl else ssl.CERT_NONE},
                suppress_origin=True,
            )
        except websocket.WebSocketBadStatusException as error:
            said = _parsed(error.resp_body or b"").get("message")
            raise Refused(error.status_code, str(said or f"status {error.status_code}")) from error
        except (websocket.WebSocketException, OSError) as error:
            raise ClusterError(
                f"the cluster opens no stream: {_reason(error)}",
                where=f"{self.server}{path.partition('?')[0]} ({self._where})",
                remedy="if a proxy lies in between, let WebSockets through it",
            ) from error

    def _credentials(self) -> dict[str, str]:
        settings: Mapping[str, Mapping[str, Any]] = self._configuration.auth_settings()
        return {
            str(item["key"]): str(item["value"])
            for item in settings.values()
            if item.get("in") == "header" and item.get("value")
        }

    def identity(self) -> str:
        """What tells this cluster from every other: the uid of its namespace `kube-system`."""
        return str(self._get("/api/v1/namespaces/kube-system")["metadata"]["uid"])

    def version(self) -> str:
        """The Kubernetes version, such as `1.36`."""
        answer = self._get("/version")
        return f"{answer['major']}.{str(answer['minor']).rstrip('+')}"

    def forbidden(self, wanted: Iterable[Access]) -> tuple[Access, ...]:
        """Those of `wanted` that this account may not do, as the API server's own access review says."""
        return tuple(access for access in wanted if not self._may(access))

    def user(self) -> str:
        """The name under which the cluster knows this account; empty where it does not tell."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        except Refused:
            return ""
        return str(answer.get("status", {}).get("userInfo", {}).get("username", ""))

    def _may(self, access: Access) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": access.attributes()},
        }
        answer = self.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer.get("status", {}).get("allowed"))

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """One object; None if there is none."""
        try:
            return self.request("GET", f"{_collection(api_version, kind, namespace)}/{name}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise self._as_error(refused) from refused

    def objects(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """The objects of a kind in a namespace; none where the cluster does not know the kind."""
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        try:
            answer = self.request("GET", _collection(api_version, kind, namespace) + query)
        except Refused as refused:
            if refused.status == 404:
                return []
            raise self._as_error(refused) from refused
        return cast("list[Object]", answer.get("items", []))

    def _get(self, path: str) -> Object:
        try:
            return self.request("GET", path)
        except Refused as refused:
            raise self._as_error(refused) from refused

    def _as_error(self, refused: Refused) -> ClusterError:
        return ClusterError(
            f"the cluster refuses a request: {refused.message}",
            where=f"{self.server} ({self._where})",
            remedy="give this account the rights that docs/operations.md lists, or use another context",
        )


@dataclass(frozen=True)
class Access:
    """Something that an account may or may not do."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def attributes(self) -> dict[str, str]:
        """As an access review asks for it."""
        return {
            "verb": self.verb,
            "resource": self.resource,
            "group": self.group,
            **({"namespace": self.namespace} if self.namespace else {}),
        }

    def __str__(self) -> str:
        """In words: `create namespaces`, `create roles.rbac.authorization.k8s.io in acme-ml`."""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}{where}"


def _collection(api_version: str, kind: str, namespace: str) -> str:
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return f"{root}{f'/namespaces/{namespace}' if namespace else ''}/{plural(kind)}"


def plural(kind: str) -> str:
    """The name of a kind's resource: `deployments` of Deployment."""
    name = kind.lower()
    if kind in PLURALS:
        return PLURALS[kind]
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2] not in "aeiou" else f"{name}s"


def _parsed(data: bytes) -> Object:
    try:
        return cast("Object", json.loads(data))
    except ValueError:
        return {"message": data.decode(errors="replace")[:200]}


def _reason(error: BaseException) -> str:
    """The shortest true sentence about a failed connection; urllib3 wraps it in addresses of objects."""
    text = str(error)
    return text.rsplit(">: ", 1)[-1].rsplit(": Failed to ", 1)[-1] or type(error).__name__
