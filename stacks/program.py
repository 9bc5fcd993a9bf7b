"""The platform program: blueprint -> components -> outputs.

`pulumi up` runs it through stacks/__main__.py, the `ziggurat` command through Pulumi's Automation API,
and `ziggurat plan` in process. Configuration (namespace `ziggurat`):

    blueprint    path of the blueprint file, relative to Pulumi.yaml
    rootSecret   secret; base64 of 32 random bytes, from which every credential is derived
    rotations    optional; a JSON object with the rotation number of each credential that was rotated
    kubeconfig   optional; path or text, overrides the blueprint's `cluster.kubeconfig`
    context      optional; overrides the blueprint's `cluster.context`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pulumi

from blueprints import Blueprint, BlueprintError, Loaded, load
from blueprints.model.pipelines import Pipelines
from blueprints.names import system_namespace, team_namespace
from components.auth import client_secret_name
from components.contents import charts, images
from components.credentials import Credentials, checked_rotations
from components.manifests.metadata import Manifest
from components.pipelines.parts import AUDIENCE, HTTP, RUNNER
from components.platform import MLPlatform, MLPlatformArgs
from components.provider import kubernetes_provider

CLUSTER = "platform"
"""What stands for the platform's cluster in the provider: one that is renamed, or moves to another address,
is still the same. That it is the same is made sure of by its uid, before each run."""
SANDBOX_CLUSTER = "ziggurat-sandbox"
"""What stands for the sandbox's cluster in the provider: it outlives the sandbox's addresses."""


def run() -> None:
    """The whole program, from the stack's configuration; pulumi.RunError says what is wrong with that."""
    config = pulumi.Config("ziggurat")
    loaded = load_blueprint(config)
    root_secret = pulumi.runtime.get_config("ziggurat:rootSecret")
    if not root_secret:
        raise pulumi.RunError(
            "the stack has no root secret, from which every credential is derived\n"
            "  where: configuration key ziggurat:rootSecret\n"
            '  to do: pulumi config set --secret rootSecret "$(openssl rand -base64 32)", and keep a copy'
        )
    build(loaded, root_secret, *_target(loaded, config), _rotations(config.get("rotations")))


def _rotations(text: str | None) -> dict[str, int]:
    """The rotation numbers; what is wrong with one is said where the credentials are made."""
    try:
        found: Any = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise pulumi.RunError(
            "the rotation numbers are no JSON object\n"
            "  where: configuration key ziggurat:rotations\n"
            "  to do: restore the stack's configuration file; `ziggurat rotate` writes this key"
        )
    return cast("dict[str, int]", found)


def load_blueprint(config: pulumi.Config) -> Loaded:
    """The blueprint that the configuration names; pulumi.RunError says what is wrong with it."""
    path = config.get("blueprint")
    if not path:
        raise pulumi.RunError(
            "the stack does not say which blueprint it is made of\n"
            f"  where: configuration key {config.name}:blueprint\n"
            "  to do: pulumi config set blueprint blueprints/starter.yaml"
        )
    try:
        return load(_project_folder() / path)
    except BlueprintError as error:
        count = len(error.problems)
        raise pulumi.RunError(f"{path}: {count} problem{'s'[: count != 1]}\n{error}") from None


def _project_folder() -> Path:
    """The folder of Pulumi.yaml: above the program where the language host, older than 3.90, is silent."""
    told: str | None = pulumi.get_root_directory()
    if told:
        return Path(told)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "Pulumi.yaml").is_file()), here)


def _target(loaded: Loaded, config: pulumi.Config) -> tuple[str | None, str | None]:
    """Kubeconfig and context; a sandbox has no context by default, but needs a kubeconfig."""
    kubeconfig, context = config.get("kubeconfig"), config.get("context")
    cluster = loaded.blueprint.cluster
    if cluster is not None:
        beside = (
            str(loaded.path.parent / Path(cluster.kubeconfig).expanduser()) if cluster.kubeconfig else None
        )
        return kubeconfig or beside, context or cluster.context
    if not kubeconfig:
        raise pulumi.RunError(
            "the blueprint names no cluster, so it is for the sandbox, and the stack does not say which\n"
            f"  where: {loaded.path}: cluster; configuration key ziggurat:kubeconfig\n"
            "  to do: `ziggurat up` knows its sandbox; or `pulumi config set kubeconfig` with\n"
            "         the file that `ziggurat sandbox status` names;\n"
            "         or name a cluster: `cluster: {context: NAME}`"
        )
    return kubeconfig, context


def build(
    loaded: Loaded,
    root_secret: str,
    kubeconfig: str | None,
    context: str | None,
    rotations: Mapping[str, int] | None = None,
) -> None:
    """Registers everything that the blueprint asks for and exports the stack's outputs.

    `kubeconfig` is a path or the text itself; None leaves it to the provider ($KUBECONFIG), which is right
    for `plan`, where nothing is contacted. `rotations` has the number of each credential that was rotated.
    Raises pulumi.RunError where the root secret or a number is unusable.
    """
    blueprint = loaded.blueprint
    credentials = _credentials(blueprint.name, root_secret, rotations or {})
    provider = kubernetes_provider(
        cluster_identifier=CLUSTER if blueprint.cluster else SANDBOX_CLUSTER,
        kubeconfig=kubeconfig,
        context=context,
    )
    # Kept by `destroy`, as the data is: what may not change is compared with it when the platform is back.
    pulumi.Stash("blueprint", input=loaded.resolved(), opts=pulumi.ResourceOptions(protect=True))
    platform = MLPlatform(
        blueprint.name,
        MLPlatformArgs(blueprint, credentials),
        pulumi.ResourceOptions(providers=[provider]),
    )
    if credentials.rotations:
        # After everything else: numbers that are in the state are those of a rotation that was completed.
        last = pulumi.ResourceOptions(depends_on=[platform])
        pulumi.Stash("rotations", input=credentials.rotations, opts=last)
    for name, value in outputs(blueprint, platform).items():
        pulumi.export(name, value)


def _credentials(platform: str, root_secret: str, rotations: Mapping[str, int]) -> Credentials:
    try:
        checked_rotations(rotations)
    except ValueError as error:
        raise pulumi.RunError(
            f"{error}\n"
            "  where: configuration key ziggurat:rotations\n"
            "  to do: restore the stack's configuration file; `ziggurat rotate` writes this key"
        ) from None
    try:
        return Credentials(platform, root_secret, rotations)
    except ValueError as error:
        raise pulumi.RunError(
            f"{error}\n"
            "  where: configuration key ziggurat:rootSecret\n"
            "  to do: set the one that the platform was made with; for a new one, base64 of 32 random bytes"
        ) from None


def outputs(blueprint: Blueprint, platform: MLPlatform) -> dict[str, Any]:
    """What the stack tells: everything that a data scientist needs but the password, which is in a Secret."""
    return {
        "platform": blueprint.name,
        "phase": blueprint.phase.value,
        "namespace": system_namespace(blueprint.name),
        "sandbox": blueprint.cluster is None,
        "trackingUri": platform.tracking_uri,
        "trackingHost": blueprint.tracking.host,
        "artifactsUri": platform.artifacts_uri,
        "teams": {team: _team(blueprint, team) for team in sorted(blueprint.teams)},
        "images": images(blueprint),
        "charts": [f"{chart.name} {chart.version}" for chart in charts(blueprint)],
        **({"externalSecrets": platform.external_secrets} if blueprint.external_secrets else {}),
        **({"pipelines": _pipelines(blueprint.pipelines)} if blueprint.pipelines else {}),
    }


def _pipelines(pipelines: Pipelines) -> Manifest:
    """What a client of pipelines needs, beside its team's namespace."""
    return {"host": pipelines.host, "serviceAccount": RUNNER, "audience": AUDIENCE, "port": HTTP}


def _team(blueprint: Blueprint, team: str) -> Manifest:
    return {
        "namespace": team_namespace(blueprint.name, team),
        "workspace": team,
        "users": {
            user: {"role": account.role.value, "secret": client_secret_name(user)}
            for user, account in sorted(blueprint.teams[team].accounts(team).items())
        },
    }
