"""The archive of the highly available database as data: where it lies, who makes it, what comes before it."""

from __future__ import annotations

import pytest

from blueprints.loader import loads
from components.apps import Apps
from components.artifacts import ARCHIVE_BUCKET, identities
from components.connections import edges
from components.database import archive
from components.versions import PLUGIN_BARMAN_CLOUD, ImageSource
from ziggurat.plan import plan

HEAD = "apiVersion: ziggurat/v1\nname: acme\nphase: orchestration\nteams: {vision: {}}\n"
BACKED = f"{HEAD}backup: {{}}\ncertificates: {{}}\n"
APPS = Apps.of("acme")
KEYS = "secret: {secretName: keys}"
PLUGIN = "barman-cloud.cloudnative-pg.io"


def planned(text):
    found = plan(loads(text, "b"))
    assert not found.problems
    return {(each.kind, each.object_name): each for each in found.objects}


def archived(options="", head=BACKED):
    return planned(f"{head}database: {{mode: highlyAvailable, archive: {{{options}}}}}\n")


def spec(found, kind, name):
    return found[kind, name].manifest["spec"]


def before(found, each):
    """Everything that has to be there before an object, by kind and name."""
    named = {item.urn: key for key, item in found.items()}
    seen, left = set(), list(found[each].dependencies)
    while left:
        urn = left.pop()
        if urn in named and urn not in seen:
            seen.add(urn)
            left += found[named[urn]].dependencies
    return {named[urn] for urn in seen}


def reach(text):
    found = edges(loads(text, "b").blueprint, APPS)
    return {
        (edge.source.name, getattr(edge.target, "name", getattr(edge.target, "host", None)), edge.port)
        for edge in found
        if edge.source in (APPS.servers, APPS.cnpg, APPS.barman)
    }


def test_without_an_archive_nothing_of_it_is_there():
    found = planned(f"{BACKED}database: {{mode: highlyAvailable}}\n")
    assert not {kind for kind, _ in found} & {"ObjectStore", "ScheduledBackup"}
    assert ("Release", "plugin-barman-cloud") not in found
    cluster = spec(found, "Cluster", "postgresql")
    assert not {"plugins", "externalClusters", "serviceAccountTemplate", "inheritedMetadata"} & cluster.keys()
    assert ("Secret", "seaweedfs-archive") not in found


def test_the_cluster_archives_by_the_plugin_and_its_base_backups_are_scheduled():
    found = archived('schedule: "30 4 * * 0", retention: 4w')
    cluster = spec(found, "Cluster", "postgresql")
    (plugin,) = cluster["plugins"]
    parameters = {"barmanObjectName": "postgresql-archive", "serverName": "postgresql"}
    assert plugin == {"name": PLUGIN, "isWALArchiver": True, "parameters": parameters}
    assert "initdb" in cluster["bootstrap"]
    schedule = spec(found, "ScheduledBackup", "postgresql-archive")
    assert schedule["schedule"] == "0 30 4 * * 0"  # seconds come first
    assert (schedule["method"], schedule["pluginConfiguration"]) == ("plugin", {"name": PLUGIN})
    assert schedule["immediate"] is True
    assert spec(found, "ObjectStore", "postgresql-archive")["retentionPolicy"] == "4w"


def test_the_embedded_store_has_a_bucket_and_a_key_for_it():
    found = archived()
    store = spec(found, "ObjectStore", "postgresql-archive")
    assert store["configuration"]["destinationPath"] == "s3://archive/"
    assert store["configuration"]["endpointURL"] == "http://seaweedfs:8333"
    assert store["configuration"]["s3Credentials"]["accessKeyId"]["name"] == "seaweedfs-archive"
    assert ("Secret", "seaweedfs-archive") in found
    (job,) = [each for (kind, name), each in found.items() if kind == "Job" and "bucket" in name]
    (container,) = job.manifest["spec"]["template"]["spec"]["containers"]
    assert container["command"][2:] == ["artifacts", "backups", ARCHIVE_BUCKET]


def test_nobody_but_the_servers_gets_into_the_archive():
    users = dict.fromkeys(("provisioner", "mlflow", "backup", "archive", "pipelines"), "x")
    buckets = ("artifacts", "backups", ARCHIVE_BUCKET)
    may = {user["name"]: set(user["actions"]) for user in identities(buckets, users)["identities"]}
    assert may["archive"] == {"Read:archive", "Write:archive", "List:archive"}
    inside = {name for name, actions in may.items() for action in actions if f":{ARCHIVE_BUCKET}" in action}
    assert inside == {"archive", "provisioner"}


def test_everything_that_the_archive_needs_is_there_before_the_cluster_and_stays_as_long():
    found = archived()
    first = before(found, ("Cluster", "postgresql"))
    wanted = {
        ("Release", "cert-manager"),
        ("Release", "cloudnative-pg"),
        ("Release", "plugin-barman-cloud"),
        ("ObjectStore", "postgresql-archive"),
        ("StatefulSet", "seaweedfs"),
        ("Secret", "seaweedfs-archive"),
    }
    assert wanted <= first
    assert {("Release", "cert-manager"), ("Release", "cloudnative-pg")} <= before(
        found, ("Release", "plugin-barman-cloud")
    )
    assert ("Cluster", "postgresql") in before(found, ("ScheduledBackup", "postgresql-archive"))


def test_a_gateway_that_people_come_by_is_not_awaited_by_the_database():
    head = (
        BACKED.replace("{vision: {}}", "{vision: {}}\ntracking: {host: ml.acme.dev}")
        .replace("certificates: {}", "certificates: {issuers: {own: {mode: ca}}}")
        .replace("backup: {}", "gateway: {tls: {issuer: own}}")
    )
    first = {kind for kind, _ in before(archived(head=head), ("Cluster", "postgresql"))}
    assert "GatewayClass" in first  # cert-manager does not start without the kinds
    assert not first & {"Gateway", "HTTPRoute", "Certificate", "Issuer"}


@pytest.mark.parametrize(
    ("artifacts", "path", "credentials"),
    [
        (f"{{mode: s3, bucket: lake, {KEYS}}}", "s3://lake/archive", "accessKeyId"),
        (
            "{mode: s3, bucket: lake, roleArn: 'arn:aws:iam::123456789012:role/ml'}",
            "s3://lake/archive",
            "inheritFromIAMRole",
        ),
        ("{mode: gcs, bucket: lake}", "gs://lake/archive", "gkeEnvironment"),
        (f"{{mode: gcs, bucket: lake, {KEYS}}}", "gs://lake/archive", "applicationCredentials"),
        (
            "{mode: azure, storageAccount: acme, container: lake, "
            "clientId: 11111111-2222-3333-4444-555555555555}",
            "https://acme.blob.core.windows.net/lake/archive",
            "useDefaultAzureCredentials",
        ),
    ],
)
def test_a_bucket_of_yours_is_entered_as_the_artifacts_are(artifacts, path, credentials):
    found = archived(head=f"{HEAD}certificates: {{}}\nartifacts: {artifacts}\n")
    configuration = spec(found, "ObjectStore", "postgresql-archive")["configuration"]
    assert configuration["destinationPath"] == path
    (entered,) = [value for key, value in configuration.items() if key.endswith("Credentials")]
    assert credentials in entered
    cluster = spec(found, "Cluster", "postgresql")
    annotated = cluster.get("serviceAccountTemplate", {}).get("metadata", {}).get("annotations", {})
    assert annotated.keys() == (
        {"eks.amazonaws.com/role-arn"}
        if "roleArn" in artifacts
        else {"azure.workload.identity/client-id"}
        if "azure" in artifacts
        else set()
    )
    labels = cluster.get("inheritedMetadata", {}).get("labels", {})
    assert labels == ({"azure.workload.identity/use": "true"} if "azure" in artifacts else {})


def test_a_destination_has_its_own_keys_and_region_and_the_platforms_name_for_a_prefix():
    found = archived(f"destination: {{bucket: vault, region: eu-west-1, {KEYS}}}")
    store = spec(found, "ObjectStore", "postgresql-archive")
    assert store["configuration"]["destinationPath"] == "s3://vault/acme"
    assert store["configuration"]["s3Credentials"]["secretAccessKey"]["name"] == "keys"
    env = {each["name"]: each["value"] for each in store["instanceSidecarConfiguration"]["env"]}
    assert env == {"AWS_DEFAULT_REGION": "eu-west-1"}
    assert ("Secret", "seaweedfs-archive") not in found


def test_who_reaches_whom():
    text = f"{BACKED}database: {{mode: highlyAvailable, archive: {{}}}}\n"
    found = reach(text)
    assert {("cloudnative-pg", "plugin-barman-cloud", 9090), ("postgresql", "seaweedfs", 8333)} <= found
    assert {port for source, _, port in found if source == "plugin-barman-cloud"} == {443, 6443}

    brought = f"destination: {{bucket: vault, endpoint: 'https://s3.acme.dev:9000', {KEYS}}}"
    found = reach(f"{BACKED}database: {{mode: highlyAvailable, archive: {{{brought}}}}}\n")
    assert ("postgresql", "s3.acme.dev", 9000) in found
    assert ("postgresql", "seaweedfs", 8333) not in found

    existing = reach(f"{HEAD}database: {{mode: highlyAvailable, operator: existing, archive: {{}}}}\n")
    assert not [edge for edge in existing if "plugin-barman-cloud" in edge]


def test_an_existing_operator_has_its_plugin_already():
    found = planned(f"{HEAD}database: {{mode: highlyAvailable, operator: existing, archive: {{}}}}\n")
    assert not [kind for kind, _ in found if kind == "Release"]
    assert spec(found, "Cluster", "postgresql")["plugins"]


def test_a_cluster_begins_with_an_archive_and_goes_on_in_another_folder():
    begun = "recover: {targetTime: 2026-11-25T10:00:00Z}"
    found = planned(
        f"{BACKED}database: {{mode: highlyAvailable, archive: {{serverName: postgresql-2}}, {begun}}}\n"
    )
    cluster = spec(found, "Cluster", "postgresql")
    recovery = cluster["bootstrap"]["recovery"]
    assert "initdb" not in cluster["bootstrap"]
    assert recovery["recoveryTarget"] == {"targetTime": "2026-11-25T10:00:00Z"}
    assert (recovery["owner"], recovery["secret"]) == ("mlflow", {"name": "postgresql-mlflow"})
    (origin,) = cluster["externalClusters"]
    assert origin["name"] == recovery["source"]
    assert origin["plugin"]["parameters"] == {
        "barmanObjectName": "postgresql-archive",
        "serverName": "postgresql",
    }
    assert cluster["plugins"][0]["parameters"]["serverName"] == "postgresql-2"


def test_a_cluster_begins_with_the_archive_of_another_platform():
    there = f"destination: {{bucket: vault, prefix: old, endpoint: 'https://s3.acme.dev', {KEYS}}}"
    text = f"{BACKED}database: {{mode: highlyAvailable, archive: {{}}, recover: {{{there}}}}}\n"
    found = planned(text)
    (origin,) = spec(found, "Cluster", "postgresql")["externalClusters"]
    assert origin["plugin"]["parameters"]["barmanObjectName"] == "postgresql-recovery"
    store = spec(found, "ObjectStore", "postgresql-recovery")
    assert store["configuration"]["destinationPath"] == "s3://vault/old"
    assert "retentionPolicy" not in store  # what is another's is not tidied up
    assert ("ObjectStore", "postgresql-recovery") in before(found, ("Cluster", "postgresql"))
    assert {("postgresql", "s3.acme.dev", 443), ("postgresql", "seaweedfs", 8333)} <= reach(text)


def test_a_mirror_moves_both_images_of_the_plugin():
    values = archive.values(ImageSource("mirror.acme", "login"))
    plugin, sidecar = PLUGIN_BARMAN_CLOUD.images
    assert values["image"] == {
        "registry": "mirror.acme",
        "repository": "cloudnative-pg/plugin-barman-cloud",
        "tag": plugin.tag,
    }
    assert values["sidecarImage"]["registry"] == "mirror.acme"
    assert values["sidecarImage"]["repository"] == sidecar.repository
    assert values["imagePullSecrets"] == [{"name": "login"}]
    # The chart's pods carry these labels: its name, and the release's.
    assert APPS.barman.selector == {
        "app.kubernetes.io/name": "plugin-barman-cloud",
        "app.kubernetes.io/instance": "plugin-barman-cloud",
    }
