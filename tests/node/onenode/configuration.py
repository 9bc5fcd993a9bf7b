"""Command lines and configuration files of the node's programs, as data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from onenode.layout import Layout

_COREDNS = """\
.:{port} {{
  bind {address}
  errors
  ready 127.0.0.1:{ready}
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
    fallthrough in-addr.arpa
    ttl 5
  }}
  forward . /etc/resolv.conf
  cache 5
  loadbalance
}}
"""
_CONTAINERD = """\
version = 4
root = '{root}/root'
state = '{root}/state'
disabled_plugins = [{disabled}]
[plugins.'io.containerd.server.v1.grpc']
  address = '{root}/containerd.sock'
[plugins.'io.containerd.server.v1.ttrpc']
  address = '{root}/containerd.sock.ttrpc'
[plugins.'io.containerd.nri.v1.nri']
  disable = false
  socket_path = '{root}/nri.sock'
  plugin_path = '{root}/nri-plugins'
  plugin_config_path = '{root}/nri-conf'
[plugins.'io.containerd.internal.v1.opt']
  path = '{root}/opt'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10.1'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = {restrict}
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = '{bin}/runc'
    SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['{bin}/cni']
  conf_dir = '{cni}'
"""
_UNUSED = (
    *(f"io.containerd.snapshotter.v1.{name}" for name in ("btrfs", "devmapper", "zfs", "erofs", "blockfile")),
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.internal.v1.tracing",
)
DNS_ROLE = "system:coredns"
POLICIES_ROLE = "network-policies"


def _flags(**values: object) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def commands(layout: Layout) -> dict[str, list[str | Path]]:
    """Each program's command line, in the order in which they are started."""
    root, conf, pki = layout.root, layout.root / "conf", layout.root / "pki"
    client, peer = (f"http://127.0.0.1:{layout.etcd_port + more}" for more in (0, 1))

    def kubernetes(name: str, port: int, **more: object) -> list[str | Path]:
        config = conf / f"{name}.kubeconfig"
        own = _flags(kubeconfig=config, authentication_kubeconfig=config, authorization_kubeconfig=config)
        listen = _flags(leader_elect="false", bind_address="127.0.0.1", secure_port=port)
        return [layout.bin / f"kube-{name}", *own, *listen, *_flags(**more)]

    return {
        "etcd": [
            layout.bin / "etcd",
            "--unsafe-no-fsync",
            *_flags(
                name="node",
                data_dir=root / "etcd",
                listen_client_urls=client,
                advertise_client_urls=client,
                listen_peer_urls=peer,
                initial_advertise_peer_urls=peer,
                initial_cluster=f"node={peer}",
            ),
        ],
        "kube-apiserver": [
            layout.bin / "kube-apiserver",
            "--allow-privileged",
            "--enable-aggregator-routing",
            *_flags(
                etcd_servers=client,
                advertise_address=layout.address,
                secure_port=layout.api_port,
                service_cluster_ip_range=layout.services,
                authorization_mode="Node,RBAC",
                enable_admission_plugins="NodeRestriction",
                client_ca_file=pki / "ca.crt",
                tls_cert_file=pki / "apiserver.crt",
                tls_private_key_file=pki / "apiserver.key",
                kubelet_client_certificate=pki / "apiserver-kubelet-client.crt",
                kubelet_client_key=pki / "apiserver-kubelet-client.key",
                kubelet_certificate_authority=pki / "ca.crt",
                kubelet_preferred_address_types="InternalIP",
                service_account_issuer="https://kubernetes.default.svc.cluster.local",
                service_account_key_file=pki / "sa.pub",
                service_account_signing_key_file=pki / "sa.key",
                requestheader_client_ca_file=pki / "front-proxy-ca.crt",
                requestheader_allowed_names="front-proxy-client",
                requestheader_extra_headers_prefix="X-Remote-Extra-",
                requestheader_group_headers="X-Remote-Group",
                requestheader_username_headers="X-Remote-User",
                proxy_client_cert_file=pki / "front-proxy-client.crt",
                proxy_client_key_file=pki / "front-proxy-client.key",
            ),
        ],
        "kube-controller-manager": [
            *kubernetes(
                "controller-manager",
                layout.api_port + 1,
                service_account_private_key_file=pki / "sa.key",
                root_ca_file=pki / "ca.crt",
                cluster_signing_cert_file=pki / "ca.crt",
                cluster_signing_key_file=pki / "ca.key",
            ),
            "--use-service-account-credentials",
        ],
        "kube-scheduler": kubernetes("scheduler", layout.api_port + 2),
        "containerd": [layout.bin / "containerd", "--config", conf / "containerd.toml"],
        "network-policies": [
            layout.bin / "network-policies",
            "--kubeconfig",
            conf / "policies.kubeconfig",
            "--node",
            layout.name,
            "--table",
            layout.chain.lower(),
            "--queue",
            str(layout.queue),
            "--nri",
            root / "containerd" / "nri.sock",
        ],
        "kubelet": [
            layout.bin / "kubelet",
            *_flags(
                config=conf / "kubelet.json",
                kubeconfig=conf / "kubelet.kubeconfig",
                root_dir=root / "kubelet",
                hostname_override=layout.name,
                node_ip=layout.address,
                cert_dir=pki,
            ),
        ],
        "kube-proxy": [layout.bin / "kube-proxy", "--config", conf / "proxy.json"],
        "coredns": [layout.bin / "coredns", "-conf", conf / "Corefile"],
        "provisioner": [
            sys.executable,
            Path(__file__).parent / "provisioner.py",
            layout.kubeconfig,
            root / "volumes",
            layout.name,
        ],
    }


def files(layout: Layout) -> dict[Path, str]:
    """Every configuration file."""
    root, conf, pki = layout.root, layout.root / "conf", layout.root / "pki"
    kubelet: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "port": layout.kubelet_port,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": layout.kubelet_health_port,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{layout.socket}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [layout.dns_service],
        "resolvConf": str(conf / "resolv.conf"),
        "podLogsDir": str(root / "pod-logs"),
        "volumePluginDir": str(root / "kubelet" / "plugins"),
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "imageMinimumGCAge": "24h",
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
    }
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": layout.pods,
        "hostnameOverride": layout.name,
        "clientConnection": {"kubeconfig": str(conf / "proxy.kubeconfig")},
        "conntrack": {"maxPerCore": 0},
        "healthzBindAddress": f"127.0.0.1:{layout.proxy_ports[0]}",
        "metricsBindAddress": f"127.0.0.1:{layout.proxy_ports[1]}",
    }
    bridge = {
        "type": "bridge",
        "bridge": layout.bridge,
        "isGateway": True,
        "ipMasq": True,
        "ipMasqBackend": "nftables",
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(root / "cni" / "state"),
            "ranges": [[{"subnet": layout.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}, "backend": "nftables"}
    cni = {"cniVersion": "1.0.0", "name": layout.bridge, "plugins": [bridge, ports]}
    return {
        conf / "kubelet.json": json.dumps(kubelet, indent=1),
        conf / "proxy.json": json.dumps(proxy, indent=1),
        root / "cni" / "10-bridge.conflist": json.dumps(cni, indent=1),
        conf / "resolv.conf": f"nameserver {layout.dns_service}\n",
        conf / "Corefile": _COREDNS.format(
            port=layout.dns_port,
            address=layout.address,
            ready=layout.dns_port + 1,
            kubeconfig=conf / "dns.kubeconfig",
        ),
        conf / "containerd.toml": _CONTAINERD.format(
            root=root / "containerd",
            bin=layout.bin,
            cni=root / "cni",
            disabled=", ".join(f"'{name}'" for name in _UNUSED),
            restrict=str(not _may_protect()).lower(),
        ),
    }


def _may_protect() -> bool:
    """Whether a process may lower its oom_score_adj. Sandboxes ask for -998: CAP_SYS_RESOURCE."""
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    try:
        own.write_text("-1")
        own.write_text(before)
    except OSError:
        return False
    return True


def objects(layout: Layout) -> dict[str, Any]:
    """What a cluster is expected to have: DNS, a default StorageClass, and the rights of who serves them."""

    def role(name: str, user: str, rules: list[dict[str, list[str]]]) -> list[dict[str, Any]]:
        group = "rbac.authorization.k8s.io"
        reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
        subject = {"apiGroup": group, "kind": "User", "name": user}
        head = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
        return [
            {**head, "kind": "ClusterRole", "rules": rules},
            {**head, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
        ]

    look = ["list", "watch"]
    core = {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": look}
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": look}
    policies = {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": look}
    ports = [
        {"name": name, "protocol": protocol, "port": layout.dns_port}
        for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))
    ]
    labels = {"k8s-app": "kube-dns"}
    items = [
        *role(DNS_ROLE, "system:coredns", [core, slices]),
        *role(POLICIES_ROLE, "network-policies", [core, policies]),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
            "spec": {
                "clusterIP": layout.dns_service,
                "ports": [{**port, "port": 53, "targetPort": layout.dns_port} for port in ports],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-host",
                "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [layout.address], "conditions": {"ready": True}}],
            "ports": ports,
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "node.ziggurat.dev/folder",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}
