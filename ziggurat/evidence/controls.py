"""The controls, as a table: what each promises, which objects implement it, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ziggurat.check.report import Outcome as CheckOutcome
from ziggurat.evidence import service
from ziggurat.evidence.facts import Facts, Live
from ziggurat.evidence.report import Exempt, Finding, Outcome

Verdict = tuple[Outcome, str]
_LEVEL = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True)
class Control:
    """One control."""

    id: str
    title: str
    check: str
    objects: Callable[[Facts], list[Live]]
    judge: Callable[[Facts, list[Live]], Verdict]
    """Called if all objects are there."""
    missing: str = ""
    """What it means that there is no object of it: empty, that it fails; else, that it was not asked for."""
    excepted: Callable[[Facts, Live], str] = lambda facts, live: ""
    """Why it does not hold for an object, as the platform declared; empty for an object that is judged."""


def gather(facts: Facts) -> tuple[Finding, ...]:
    """What is known of each control."""
    return tuple(_finding(control, facts) for control in CONTROLS)


def _finding(control: Control, facts: Facts) -> Finding:
    objects = control.objects(facts)
    gone = [each.label for each in objects if each.found is None]
    if not objects:
        verdict = (
            (Outcome.ABSENT, control.missing) if control.missing else (Outcome.FAILS, "nothing implements it")
        )
    elif gone:
        verdict = (Outcome.FAILS, f"gone from the cluster: {', '.join(gone)}; ziggurat up --refresh")
    else:
        verdict = control.judge(facts, [each for each in objects if not control.excepted(facts, each)])
    there = tuple(each.label for each in objects if each.found is not None)
    reasons = ((each.label, control.excepted(facts, each)) for each in objects)
    exceptions = tuple(Exempt(label, why) for label, why in reasons if why)
    return Finding(control.id, control.title, control.check, there, *verdict, facts.now, exceptions)


def _all(objects: Sequence[Live], holds: Callable[[Live], bool], good: str, bad: str) -> Verdict:
    wrong = [each.label for each in objects if not holds(each)]
    return (
        (Outcome.FAILS, f"{bad}: {', '.join(wrong)}") if wrong else (Outcome.HOLDS, good.format(len(objects)))
    )


def _kind(*kinds: str, name: str | None = None) -> Callable[[Facts], list[Live]]:
    return lambda facts: [each for kind in kinds for each in facts.live(kind, name)]


def _is_restricted(each: Live) -> bool:
    return each.at("metadata", "labels", _LEVEL) == "restricted"


def _unrestricted(facts: Facts, each: Live) -> str:
    del facts
    return "" if _is_restricted(each) else each.managed.exception


def _pod_security(facts: Facts, objects: list[Live]) -> Verdict:
    del facts
    return _all(
        objects,
        _is_restricted,
        "{} namespaces enforce `restricted`",
        "not `restricted`",
    )


def _denies_all(each: Live) -> bool:
    spec: dict[str, Any] = each.at("spec") or {}
    types: list[str] = spec.get("policyTypes") or []
    shut = not spec.get("podSelector") and not spec.get("ingress") and not spec.get("egress")
    return shut and {"Ingress", "Egress"} <= set(types)


def _networks(facts: Facts, objects: list[Live]) -> Verdict:
    without = set(facts.namespaces) - {each.managed.namespace for each in objects}
    if without:
        return Outcome.FAILS, f"no policy that denies all: {', '.join(sorted(without))}"
    found, said = _all(objects, _denies_all, "{} namespaces deny all that is not opened", "does not deny all")
    if found is Outcome.HOLDS:
        said += "; that the network enforces policies is the cluster's own affair and was not tried"
    return found, said


def _quotas(facts: Facts, objects: list[Live]) -> Verdict:
    without = set(facts.team_namespaces) - {each.managed.namespace for each in objects}
    if without:
        return Outcome.FAILS, f"no quota: {', '.join(sorted(without))}"
    return _all(objects, lambda each: bool(each.at("spec", "hard")), "{} teams have one", "bounds nothing")


_POD = ("spec", "template", "spec")
_WORKLOADS = {
    "Deployment": _POD,
    "StatefulSet": _POD,
    "DaemonSet": _POD,
    "Job": _POD,
    "CronJob": ("spec", "jobTemplate", *_POD),
}
"""The kinds that make pods, and where in each its pods are described."""
_TOKEN = "automountServiceAccountToken"  # noqa: S105  # the name of a field


def _mounts_token(each: Live) -> bool:
    path = _WORKLOADS.get(each.managed.kind)
    return each.at(*path, _TOKEN) is True if path else each.at(_TOKEN) is not False


def _tokens_objects(facts: Facts) -> list[Live]:
    """The accounts, and the workloads whose pods ask for a token whatever their account says."""
    workloads = [each for kind in _WORKLOADS for each in facts.live(kind)]
    return [*facts.live("ServiceAccount"), *(each for each in workloads if _mounts_token(each))]


def _tokened(facts: Facts, each: Live) -> str:
    """Why the pods of an account, or of a workload by its account, have a token, as the platform declared."""
    if not _mounts_token(each):
        return ""
    path = _WORKLOADS.get(each.managed.kind)
    if not path:
        return each.managed.exception
    place = (each.managed.namespace, each.at(*path, "serviceAccountName"))
    accounts = {
        (item.namespace, item.name): item for item in facts.state.objects if item.kind == "ServiceAccount"
    }
    return accounts[place].exception if place in accounts else ""


def _tokens(facts: Facts, objects: list[Live]) -> Verdict:
    del facts
    return _all(
        objects,
        lambda each: not _mounts_token(each),
        "{} accounts give their pods no token of Kubernetes",
        "gives its pods a token",
    )


def _door(facts: Facts, objects: list[Live]) -> Verdict:
    del facts
    (policy,) = objects
    callers = [
        peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name")
        for rule in policy.at("spec", "ingress") or ()
        for peer in cast("list[dict[str, Any]]", rule.get("from") or [{}])
    ]
    if not callers or any(caller != "ml-pipeline" for caller in callers):
        return Outcome.FAILS, "others than its door may call the API server, which believes what they say"
    return Outcome.HOLDS, "its door alone may call the API server, and believes names from the page alone"


def _secret_keys(each: Live) -> set[tuple[str, str]]:
    spec: dict[str, Any] = each.at("spec", "template", "spec") or {}
    containers: list[dict[str, Any]] = [*(spec.get("initContainers") or ()), *spec["containers"]]
    variables: list[dict[str, Any]] = [variable for item in containers for variable in item.get("env") or ()]
    references: list[dict[str, str]] = [
        variable["valueFrom"]["secretKeyRef"]
        for variable in variables
        if "secretKeyRef" in variable.get("valueFrom", {})
    ]
    return {(reference["name"], reference["key"]) for reference in references}


def _database(facts: Facts, objects: list[Live]) -> Verdict:
    del facts
    (server,) = [each for each in objects if each.managed.kind == "Deployment"]
    superuser = ("postgresql", "postgres")
    if superuser in _secret_keys(server):
        return Outcome.FAILS, "the tracking server reads the superuser's password"
    clusters = [each for each in objects if each.managed.kind == "Cluster"]
    if any(each.at("spec", "enableSuperuserAccess") is not False for each in clusters):
        return Outcome.FAILS, "the superuser of the database cluster has a password"
    if clusters:
        return (
            Outcome.HOLDS,
            "the tracking server is the owner of its database; the superuser has no password",
        )
    return Outcome.HOLDS, "the tracking server reads its own role's password and not the superuser's"


def _database_objects(facts: Facts) -> list[Live]:
    database = [*facts.live("StatefulSet", "postgresql"), *facts.live("Cluster", "postgresql")]
    return [*database, *facts.live("Deployment", "mlflow")] if database else []


def _scheduled(facts: Facts, objects: list[Live]) -> Verdict:
    del facts
    job = objects[0]
    if job.at("spec", "suspend"):
        return Outcome.FAILS, "the schedule is suspended"
    last = job.at("status", "lastSuccessfulTime")
    when = f"`{job.at('spec', 'schedule')}` (UTC)"
    if not last:
        return Outcome.UNKNOWN, f"scheduled {when}, and none of the schedule has succeeded yet"
    return Outcome.HOLDS, f"scheduled {when}; the last that succeeded: {last}"


def _verified(facts: Facts, objects: list[Live]) -> Verdict:
    del facts, objects
    return (
        Outcome.UNKNOWN,
        "nothing records a verification; `ziggurat backup verify` reads every byte now",
    )


def _images(facts: Facts, objects: list[Live]) -> Verdict:
    listed = set(cast("list[str]", facts.outputs.get("images") or ()))
    homes = {each.managed.name for each in objects} - set(facts.team_namespaces)
    pods = facts.pods(sorted(homes))
    if not pods:
        return Outcome.UNKNOWN, "no pod of the platform is there"
    run = {
        str(container["image"])
        for pod in pods
        for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
    }
    others = sorted(run - listed)
    if others:
        return Outcome.FAILS, f"not in the list of `ziggurat images`: {', '.join(others)}"
    return Outcome.HOLDS, f"{len(run)} images of {len(pods)} pods are those that `ziggurat images` lists"


def _policy(rule: str) -> Callable[[Facts], list[Live]]:
    """The objects of an admission policy: it, and its binding."""

    def objects(facts: Facts) -> list[Live]:
        found = [
            *facts.live("ValidatingAdmissionPolicy"),
            *facts.live("ValidatingAdmissionPolicyBinding"),
        ]
        name = f"{facts.outputs.get('namespace')}-{rule}"
        names = {name, f"{name}-owners"}
        return [each for each in found if names & {each.managed.name, each.at("spec", "policyName")}]

    return objects


def _refuses(facts: Facts, objects: list[Live]) -> Verdict:
    del facts
    bound = [each for each in objects if each.managed.kind == "ValidatingAdmissionPolicyBinding"]
    if not bound:
        return Outcome.FAILS, "the policy is not bound, so it does nothing"
    for each in bound:
        actions: list[str] = each.at("spec", "validationActions") or []
        if "Deny" not in actions:
            return Outcome.FAILS, f"what breaks it is let in: the action is {', '.join(actions)}"
    return Outcome.HOLDS, "the API server refuses what breaks it"


def _checked(name: str) -> Callable[[Facts, list[Live]], Verdict]:
    """By the lines of `ziggurat check` of that name."""

    def judge(facts: Facts, objects: list[Live]) -> Verdict:
        del objects
        if facts.checks is None:
            return Outcome.UNKNOWN, "it was not tried: `ziggurat evidence --check` tries it"
        results = [each for each in facts.checks if each.name == name]
        failed = [each for each in results if each.outcome is CheckOutcome.FAILED]
        done = [each for each in results if each.outcome is CheckOutcome.OK]
        if failed:
            return Outcome.FAILS, "; ".join(f"{each.team}: {each.detail}".lstrip(": ") for each in failed)
        if not done:
            why = {each.detail for each in results} or {"the checks ended before it"}
            return Outcome.UNKNOWN, f"it could not be tried: {'; '.join(sorted(why))}"
        return Outcome.HOLDS, f"tried in {len(done)} ways: {done[0].what}; {done[0].detail}".rstrip("; ")

    return judge


def _encrypted(facts: Facts, objects: list[Live]) -> Verdict:
    external = [each for each in objects if each.managed.kind == "ExternalSecret"]
    empty = [each.label for each in external if not service.is_true(each, "Ready")]
    if empty:
        return Outcome.FAILS, f"not filled from their store: {', '.join(empty)}"
    if external and len(external) == len(objects):
        stores = ", ".join(sorted({str(each.at("spec", "secretStoreRef", "name")) for each in external}))
        return (
            Outcome.HOLDS,
            f"none is in the stack's state: {len(external)} ExternalSecrets are filled from store {stores}",
        )
    if facts.state.clear:
        return Outcome.FAILS, f"in the clear in the stack's state: {', '.join(facts.state.clear)}"
    if not facts.state.encryption:
        return Outcome.UNKNOWN, "the stack's state does not say what encrypts it"
    return Outcome.HOLDS, f"encrypted in the stack's state by `{facts.state.encryption}`"


def _encrypted_ways(facts: Facts) -> list[Live]:
    """The gateway and its certificates; nothing where there is no gateway, whatever else has certificates."""
    gateways = facts.live("Gateway")
    spaces = {each.managed.namespace for each in gateways}
    certificates = [each for each in facts.live("Certificate") if each.managed.namespace in spaces]
    return [*gateways, *certificates] if gateways else []


_TRACKING = _kind("Deployment", name="mlflow")
_REFUSED = "the policy and the action of its binding, as the API server has them"

_NO_BACKUP, _NO_ADMISSION = "the blueprint has no `backup`", "the blueprint has no `admission`"
_ADMISSION = (
    ("registries", "Teams' images come from allowed registries", _NO_ADMISSION),
    ("tags", "Teams' images have versions", _NO_ADMISSION),
    ("requests", "Teams' work says what it needs", _NO_ADMISSION),
    ("gpu-queue", "Work on GPUs waits in its team's queue", f"{_NO_ADMISSION} with `queues`"),
)

CONTROLS: tuple[Control, ...] = (
    Control(
        "pod-security",
        "Pods are restricted",
        f"the label `{_LEVEL}` of each namespace",
        _kind("Namespace"),
        _pod_security,
        excepted=_unrestricted,
    ),
    Control(
        "networks",
        "Networks deny by default",
        "a policy without rules in each namespace",
        _kind("NetworkPolicy", name="default-deny"),
        _networks,
    ),
    Control(
        "anonymous",
        "Nobody enters without an account",
        "ziggurat check: anonymous",
        _TRACKING,
        _checked("anonymous"),
    ),
    Control(
        "isolation",
        "Teams do not reach each other's work",
        "ziggurat check: isolation",
        _TRACKING,
        _checked("isolation"),
    ),
    Control(
        "quota",
        "Teams have quotas",
        "the ResourceQuota of each team's namespace",
        _kind("ResourceQuota"),
        _quotas,
    ),
    Control(
        "tokens",
        "Pods have no rights on the cluster",
        "automountServiceAccountToken of the accounts and of the workloads",
        _tokens_objects,
        _tokens,
        excepted=_tokened,
    ),
    Control(
        "pipelines-identity",
        "Nobody can say to pipelines who they are",
        "who may call the API server of pipelines",
        _kind("NetworkPolicy", name="ml-pipeline-server"),
        _door,
        missing="there are no pipelines",
    ),
    Control(
        "database",
        "Database credentials are separate",
        "the Secrets that the tracking server's pods read",
        _database_objects,
        _database,
        "the database is brought; its roles are its owner's affair",
    ),
    Control(
        "backups",
        "Backups are scheduled and succeed",
        "the CronJob and its last success",
        _kind("CronJob", name="backup"),
        _scheduled,
        _NO_BACKUP,
    ),
    Control(
        "backups-verified",
        "Backups can be read",
        "ziggurat backup verify",
        _kind("CronJob", name="backup"),
        _verified,
        _NO_BACKUP,
    ),
    Control(
        "database-archive",
        "The database can be recovered to any moment",
        "the condition of its cluster, and the window of its archive",
        service.archive_objects,
        service.archive,
        "the blueprint has no `database.archive`",
    ),
    Control(
        "database-availability",
        "The database survives the loss of a server",
        "the ready servers of its cluster",
        _kind("Cluster"),
        service.database,
        "the database is one server, or brought",
    ),
    Control(
        "encryption",
        "Ways from outside are encrypted",
        "the listeners of the gateway, and its certificates",
        _encrypted_ways,
        service.encryption,
        "the blueprint has no `gateway`",
    ),
    Control(
        "alerts",
        "Outages are noticed",
        "the alerts of the PrometheusRule",
        _kind("PrometheusRule"),
        service.alerts,
        "the blueprint has no `monitoring`",
    ),
    Control(
        "images",
        "The platform runs its own images alone",
        "the images of the pods in its namespace",
        _kind("Namespace"),
        _images,
    ),
    *(
        Control(f"admission-{rule}", title, _REFUSED, _policy(rule), _refuses, missing)
        for rule, title, missing in _ADMISSION
    ),
    Control(
        "secrets",
        "Secrets are encrypted in the state",
        "the stack's export",
        _kind("Secret", "ExternalSecret"),
        _encrypted,
    ),
)
"""Every control, in the order of the report."""
