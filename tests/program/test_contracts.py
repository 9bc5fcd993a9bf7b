"""What holds for every component and every object of every blueprint, shipped or brought."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from components import versions
from components.versions import notebooks as versions_of_notebooks
from components.versions.tuning import KATIB_TRIALS
from ziggurat.plan.footprint import containers, footprint
from ziggurat.plan.model import MASK, UNKNOWN
from ziggurat.plan.planning import stackless

SHIPPED = sorted((Path(__file__).parents[2] / "blueprints").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden"

CLUSTER_WIDE = {
    "Namespace", "GatewayClass", "ClusterRole", "ClusterRoleBinding",
    "CustomResourceDefinition", "StorageClass",
    "ClusterQueue", "ResourceFlavor", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    "ClusterStorageContainer", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
    "NodePool", "EC2NodeClass", "ComputeClass",
}  # fmt: skip
CHARTS = {chart.name: chart for chart in versions.CHARTS}
HOLD_DATA = {"Namespace", "PersistentVolumeClaim", "Cluster"}
"""A Cluster's claims are its own: whoever deletes it deletes them."""
OPERATED = {"postgresql-pooler"}
"""Disruption budgets of pods that an operator makes, by name."""
OPERATED_SECRETS = {"postgresql-ca"}
"""Secrets that an operator makes and pods mount."""
LABELS = {"name", "instance", "component", "part-of", "managed-by"}
PUBLIC_KEYS = {
    "username", "AWS_ACCESS_KEY_ID", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_WORKSPACE",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "mlpipeline-user", "metadb-user",
}  # fmt: skip
"""Keys of Secrets whose values are names and addresses, which the stack's outputs tell as well."""
CONFIG_HASH = "ziggurat.dev/config-hash"
RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
    "secret",
}  # fmt: skip


def objects(planned):
    """What Kubernetes knows as objects; a chart's release is none."""
    return [each for each in planned.objects if not each.is_release]


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def test_shipped_blueprints_exist():
    assert "starter" in [file.stem for file in SHIPPED]


def test_kubernetes_would_accept_every_object(planned):
    assert [str(problem) for problem in planned.problems] == []
    assert planned.schemas.checked + len(planned.schemas.unchecked) == len(planned.objects)


def test_every_object_is_named_and_placed(planned):
    for each in objects(planned):
        assert each.object_name == each.manifest["metadata"]["name"] != "", each.urn
        assert (each.namespace is None) == (each.kind in CLUSTER_WIDE), each.label


def test_no_two_objects_are_the_same(planned):
    identities = [each.identity for each in planned.objects]
    assert len(set(identities)) == len(identities)
    assert len({each.urn for each in planned.objects}) == len(identities)


def test_every_object_carries_our_labels(planned):
    for each in objects(planned):
        labels = each.manifest["metadata"].get("labels", {})
        assert {f"app.kubernetes.io/{label}" for label in LABELS} <= labels.keys(), each.label
        assert labels["app.kubernetes.io/instance"] == planned.platform
        assert labels["app.kubernetes.io/part-of"] == labels["app.kubernetes.io/managed-by"] == "ziggurat"


def test_objects_of_a_team_carry_its_name(planned):
    teams = {f"{planned.platform}-{team}": team for team in planned.outputs["teams"]}
    for each in objects(planned):
        labels = each.manifest["metadata"]["labels"]
        home = each.object_name if each.kind == "Namespace" else each.namespace
        assert labels.get("ziggurat.dev/team") == teams.get(home), each.label


def test_labels_are_of_the_length_that_kubernetes_takes(planned):
    for each in objects(planned):
        for value in each.manifest["metadata"]["labels"].values():
            assert len(value) <= 63, (each.label, value)


def test_every_object_has_the_explicit_provider(planned):
    for each in planned.objects:
        assert each.provider.endswith("::pulumi:providers:kubernetes::kubernetes"), each.label


def test_every_object_comes_after_its_namespace(planned):
    dependencies = {each.urn: set(each.dependencies) for each in planned.objects}
    namespaces = {each.object_name: each.urn for each in planned.objects if each.kind == "Namespace"}
    for each in planned.objects:
        if each.namespace:
            assert namespaces[each.namespace] in reached(each.urn, dependencies), each.label


def test_no_pod_of_the_platforms_namespace_starts_before_its_network_policies(planned):
    dependencies = {each.urn: set(each.dependencies) for each in planned.objects}
    policies = {
        each.urn
        for each in planned.objects
        if each.kind == "NetworkPolicy" and each.parent.endswith("-system")
    }
    assert policies
    for each, _ in planned.pod_templates():
        if each.namespace == planned.platform:
            assert policies <= reached(each.urn, dependencies), each.label


def test_custom_resources_come_after_the_chart_of_their_kind_and_so_go_before_it(planned):
    """The engine deletes in reverse: an operator stays until the last of its objects is gone."""
    brings = {
        (definition.group, definition.kind): each.urn
        for each in planned.objects
        if each.is_release
        for definition in CHARTS[each.manifest["chart"].rpartition("/")[2]].definitions
    }
    dependencies = {each.urn: set(each.dependencies) for each in planned.objects}
    for each in objects(planned):
        release = brings.get((each.manifest["apiVersion"].rpartition("/")[0], each.kind))
        assert release is None or release in reached(each.urn, dependencies), each.label


def reached(urn, dependencies):
    """All that comes before one resource."""
    found, pending = set(), [urn]
    while pending:
        for other in dependencies.get(pending.pop(), set()) - found:
            found.add(other)
            pending.append(other)
    return found


def test_what_holds_data_is_protected_and_nothing_else(planned):
    for each in planned.objects:
        assert each.protected == (each.kind in HOLD_DATA), each.label
        # Claims are objects of their own, so that deleting the StatefulSet leaves them alone.
        assert "volumeClaimTemplates" not in each.manifest.get("spec", {}), each.label


def test_every_container_asks_for_what_it_needs_and_has_limits(planned):
    for each, pod in planned.pod_templates():
        for container in containers(pod["spec"]):
            resources = container.get("resources", {})
            where = f"{each.label}: {container['name']}"
            assert {"cpu", "memory"} <= resources.get("requests", {}).keys(), where
            assert "memory" in resources.get("limits", {}), where


def test_every_pod_is_restricted(planned):
    for each, pod in planned.pod_templates():
        spec = pod["spec"]
        shared = spec.get("securityContext", {})
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), each.label
        for volume in spec.get("volumes", []):
            assert volume.keys() - {"name"} <= RESTRICTED_VOLUMES, (each.label, volume["name"])
        for container in containers(spec):
            own = container.get("securityContext", {})
            where = f"{each.label}: {container['name']}"
            assert own.get("runAsNonRoot", shared.get("runAsNonRoot")) is True, where
            assert own.get("seccompProfile", shared.get("seccompProfile")) == {"type": "RuntimeDefault"}, (
                where
            )
            assert own.get("allowPrivilegeEscalation") is False, where
            assert own.get("capabilities", {}).get("drop") == ["ALL"], where
            assert not own.get("capabilities", {}).get("add"), where
            assert not own.get("privileged"), where
            assert own.get("runAsUser", shared.get("runAsUser", 1)) != 0, where


def test_every_namespace_enforces_pod_security(planned):
    for each in planned.objects:
        if each.kind == "Namespace":
            enforced = each.manifest["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
            # A device plugin talks to the kubelet and to the host's devices.
            gpu = each.object_name == f"{planned.platform}-gpu"
            assert enforced == ("privileged" if gpu else "restricted"), each.label


def test_what_deviates_says_why_and_nothing_else_does(planned):
    """What `ziggurat evidence` leaves out: a privileged namespace, an account whose pods have a token."""
    tokened = {
        (each.namespace, pod["spec"]["serviceAccountName"])
        for each, pod in planned.pod_templates()
        if pod["spec"]["automountServiceAccountToken"]
    }
    for each in objects(planned):
        metadata = each.manifest["metadata"]
        privileged = metadata.get("labels", {}).get("pod-security.kubernetes.io/enforce") == "privileged"
        account = each.kind == "ServiceAccount"
        gives = account and each.manifest["automountServiceAccountToken"]
        asked = account and (each.namespace, each.object_name) in tokened
        why = metadata.get("annotations", {}).get("ziggurat.dev/exception")
        assert bool(why) == (privileged or gives or asked), each.label


def test_a_namespace_of_privileged_pods_holds_charts_and_fences_alone(planned):
    kinds = {each.kind for each in planned.objects if each.namespace == f"{planned.platform}-gpu"}
    if "gpu" not in planned.outputs["teams"]:
        assert kinds <= {"NetworkPolicy", "Release"}


def test_every_pod_template_carries_the_hash_of_its_configuration(planned):
    for each, pod in planned.pod_templates():
        assert pod["metadata"].get("annotations", {}).get(CONFIG_HASH), each.label


def test_every_image_is_pinned(planned):
    found = footprint(planned).images
    assert found
    for image in found:
        name, _, tag = image.rpartition("/")[2].partition(":")
        assert (tag and tag != "latest") or "@sha256:" in name, image
    charts = [
        CHARTS[each.manifest["chart"].rpartition("/")[2]] for each in planned.objects if each.is_release
    ]
    used = [image for chart in charts for image in chart.images]
    # No object of ours has the pods of runs: controllers make them, of these images.
    engine = any(component.type.endswith(":PipelineEngine") for component in planned.components)
    used += versions.PIPELINE_RUNS if engine else ()
    katib = any(component.type.endswith(":PlatformTuning") for component in planned.components)
    used += KATIB_TRIALS if katib else ()
    brought = {f"{image.repository}:{image.tag}" for image in used}
    # Of these no object is made beforehand.
    checks = {
        f"{versions_of_notebooks.JUPYTER.repository}:{versions_of_notebooks.JUPYTER.tag}",
        f"{versions.CUDA_SAMPLE.repository}:{versions.CUDA_SAMPLE.tag}",
    }
    others = set(planned.outputs["images"]) - set(found)
    others = {image for image in others if not image.endswith(tuple(checks))}
    assert all(image.endswith(tuple(brought)) for image in others)
    assert len(others) == len(brought)
    assert set(found) <= set(planned.outputs["images"])


def test_no_pod_has_a_token_that_it_does_not_need(planned):
    for each, pod in planned.pod_templates():
        account = pod["spec"].get("serviceAccountName")
        assert account, each.label
        assert account != "default", each.label


def test_selectors_find_pods(planned):
    pods = [(each.namespace, pod["metadata"].get("labels", {})) for each, pod in planned.pod_templates()]
    for each in planned.objects:
        spec = each.manifest.get("spec", {})
        selector = (
            spec.get("selector") if each.kind == "Service" else spec.get("selector", {}).get("matchLabels")
        )
        if each.kind == "PodDisruptionBudget" and each.object_name in OPERATED:
            continue
        if each.kind in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet") and selector:
            assert any(
                namespace == each.namespace and selector.items() <= labels.items()
                for namespace, labels in pods
            ), each.label


def test_what_pods_mount_and_read_is_there_or_brought(planned):
    # Of an ExternalSecret the controller makes the Secret of its name.
    kinds = {"ExternalSecret": "Secret"}
    made = {(kinds.get(each.kind, each.kind), each.namespace, each.object_name) for each in planned.objects}
    made |= {
        ("Secret", each.namespace, each.manifest["spec"]["secretName"])
        for each in planned.objects
        if each.kind == "Certificate"
    }
    brought = {
        "registry-login",
        "git-login",
        "bucket-keys",
        "vault-keys",
        "storage-account",
        "oidc-client",
        "directory",
        "acme-ca",
        "mysql-login",
    }
    brought |= OPERATED_SECRETS if any(each.kind == "Cluster" for each in planned.objects) else set()
    for each, pod in planned.pod_templates():
        spec = pod["spec"]
        wanted = [("ServiceAccount", spec.get("serviceAccountName"))]
        for volume in spec.get("volumes", []):
            wanted.append(("ConfigMap", volume.get("configMap", {}).get("name")))
            wanted.append(("Secret", volume.get("secret", {}).get("secretName")))
            wanted.append(("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName")))
        for container in containers(spec):
            for source in container.get("envFrom", []):
                wanted.append(("ConfigMap", source.get("configMapRef", {}).get("name")))
                wanted.append(("Secret", source.get("secretRef", {}).get("name")))
            for variable in container.get("env", []):
                source = variable.get("valueFrom", {})
                wanted.append(("ConfigMap", source.get("configMapKeyRef", {}).get("name")))
                wanted.append(("Secret", source.get("secretKeyRef", {}).get("name")))
        for kind, name in wanted:
            assert name is None or name in brought or (kind, each.namespace, name) in made, (
                each.label,
                kind,
                name,
            )


def test_every_password_is_registered_as_secret(planned):
    for each in planned.objects:
        if each.kind == "Secret":
            values = {**each.manifest.get("data", {}), **each.manifest.get("stringData", {})}
            assert MASK in values.values(), each.label
            clear = {key for key, value in values.items() if value != MASK}
            assert clear <= PUBLIC_KEYS, each.label


def test_secret_values_are_nowhere_but_in_secrets(planned):
    for each in planned.objects:
        if each.kind != "Secret":
            assert MASK not in set(leaves(each.manifest)), each.label
    assert MASK not in set(leaves(planned.outputs))


def test_nothing_is_unknown(planned):
    """Principle 1: the first preview of a platform has no unknowns."""
    for each in planned.objects:
        assert UNKNOWN not in json.dumps(each.manifest), each.label
    assert UNKNOWN not in json.dumps(planned.outputs)


def test_every_component_registers_its_outputs(planned):
    for component in planned.components:
        assert component.outputs is not None, component.title
        assert UNKNOWN not in json.dumps(component.outputs), component.title


def test_every_component_lies_under_the_platform(planned):
    root, *rest = planned.components
    assert (root.type, root.name) == ("ziggurat:index:MLPlatform", planned.platform)
    assert all(component.parent for component in rest)
    known = {component.urn for component in planned.components}
    assert all(each.parent in known for each in planned.objects)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_urns_of_shipped_blueprints_are_stable(file):
    """A URN that changes makes the engine delete an object and make another.

    Where one must change, give the resource an alias, then write the lists anew:
    `ZIGGURAT_WRITE_GOLDEN=1 pytest tests/program/test_contracts.py -k urns`
    """
    from blueprints import load
    from ziggurat.plan import plan

    found = plan(load(file))
    urns = [*(each.urn for each in found.components), *(each.urn for each in (*found.others, *found.objects))]
    lines = "".join(f"{line}\n" for line in sorted(map(stackless, urns)))
    golden = GOLDEN / f"{file.stem}.txt"
    if os.environ.get("ZIGGURAT_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(lines)
    assert lines == golden.read_text()


def test_starter_stays_light():
    from blueprints import load
    from ziggurat.plan import plan

    found = footprint(plan(load(next(file for file in SHIPPED if file.stem == "starter"))))
    together = found.running + found.jobs
    assert together.cpu <= 1
    assert together.memory <= 2.5 * 1024**3
