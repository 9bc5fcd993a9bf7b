"""PipelineEngine: Kubeflow Pipelines, put together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from blueprints.model.pipelines import EmbeddedMySql, Pipelines
from blueprints.model.storage import EmbeddedArtifacts
from blueprints.model.teams import Team
from components.artifacts import Artifacts
from components.credentials import Credentials, Label
from components.manifests import configuration as objects
from components.manifests import workloads
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge
from components.objects import component_token, register
from components.pipelines import controllers, database, definitions, door, page, rights, server, teams
from components.pipelines.configuration import Pages, api_config, workflow_config
from components.pipelines.database import Connection
from components.pipelines.parts import (
    GRPC,
    HTTP,
    METADATA,
    PAGE,
    SCHEDULE_METRICS,
    WORKFLOW_METRICS,
    Parts,
    address,
)
from components.pipelines.stores import EngineStore, engine_store, run_store
from components.versions import ImageSource

Ready = tuple[pulumi.Resource, ...]


@dataclass(frozen=True)
class PipelineEngineArgs:
    """What a PipelineEngine is made of."""

    parts: Parts
    pipelines: Pipelines
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The Namespace of each team."""
    artifacts: Artifacts
    mlflow: App
    seaweedfs: App
    edges: Sequence[Edge]
    """Every connection of the platform; those of runs count here."""
    images: ImageSource
    credentials: Credentials = field(repr=False)
    tracking_host: str | None = None
    """Where people open MLflow: links of runs lead there."""
    after: Ready = ()
    """What comes first: the platform's namespace and its policies."""
    accounts: Ready = ()
    """The teams' accounts in MLflow, and the bucket: runs log in to both."""

    @property
    def names(self) -> tuple[str, ...]:
        """The teams, in order."""
        return tuple(sorted(self.teams))

    @property
    def annotated_accounts(self) -> tuple[str, ...]:
        """The names of the parts that enter the store by an identity of their cloud."""
        return (self.parts.server.name, self.parts.page.name)


class PipelineEngine(pulumi.ComponentResource):
    """Kubeflow Pipelines for every team: one engine, runs in the teams' namespaces, each an MLflow run."""

    endpoint: pulumi.Output[str]
    """Where programs reach it inside the cluster."""

    def __init__(
        self, name: str, args: PipelineEngineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        mode = args.pipelines.database.mode
        super().__init__(component_token(PipelineEngine), name, {"database": mode}, opts)
        self._args = args
        speakers = rights.rights(args.parts, page=args.pipelines.host is not None)
        self._speaks = {each.part.name: each.why for each in speakers}
        self._store: EngineStore = engine_store(args.artifacts, args.seaweedfs)
        kinds = [register(self, each) for each in definitions.definitions(args.parts.engine)]
        allowed = self._rights(kinds)
        connection = self._database()
        metadata = self._metadata(connection)
        entrance = self._door()
        api = self._server(connection, [*allowed, *metadata])
        engine = [*kinds, *allowed, *entrance, *api, *self._controllers([*allowed, *entrance, *api])]
        if args.pipelines.host:
            engine += self._page([*allowed, *entrance, *api])
        self.ready: Ready = (*engine, *self._teams([*kinds, *allowed]))
        self.endpoint = pulumi.Output.from_input(f"http://{address(args.parts.door)}:{HTTP}")
        self.register_outputs({"endpoint": self.endpoint})

    def _rights(self, kinds: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args, made = self._args, list[pulumi.Resource]()
        engine = args.parts.engine
        shared = {"runner": rights.runner_rules(), "member": rights.member_rules()}
        manifests = [
            rights.cluster_role(engine, rights.name_of(engine, kind), rules) for kind, rules in shared.items()
        ]
        for each in rights.rights(args.parts, page=args.pipelines.host is not None):
            manifests += _of_part(each)
        for manifest in manifests:
            is_namespaced = "namespace" in manifest["metadata"]
            made.append(register(self, manifest, depends_on=[*kinds, *(args.after if is_namespaced else ())]))
        return made

    def _database(self) -> Connection:
        args, chosen = self._args, self._args.pipelines.database
        if not isinstance(chosen, EmbeddedMySql):
            return database.external(chosen)
        mysql = args.parts.mysql
        first, claim, workload, service = database.manifests(mysql, chosen, args.images, args.credentials)
        before = [register(self, each, depends_on=args.after) for each in first]
        volume = register(self, claim, depends_on=args.after, holds_data=True)
        running = register(self, workload, depends_on=[*before, volume])
        # Beside the server, not before it: a Service is awaited until a pod is ready behind it.
        found = register(self, service, depends_on=args.after)
        made = database.embedded(mysql, args.credentials)
        return Connection(made.host, made.port, made.api, made.metadata, ready=(running, found))

    def _deploy(
        self,
        app: App,
        template: Manifest,
        first: Sequence[Manifest] = (),
        *,
        ports: Mapping[str, int] | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> list[pulumi.Resource]:
        """A Deployment with its account and what it reads; and its Service, where it has ports."""
        args = self._args
        annotations = (
            self._store.account_annotations
            if app.name in args.annotated_accounts and self._store.account_annotations
            else None
        )
        account = objects.service_account(app, annotations, speaks=self._speaks.get(app.name))
        before = [
            register(self, each, depends_on=args.after)
            for each in (account, *first, workloads.disruption_budget(app))
        ]
        running = register(self, workloads.deployment(app, template), depends_on=[*before, *after])
        if not ports:
            return [running]
        return [running, register(self, workloads.service(app, ports), depends_on=args.after)]

    def _metadata(self, connection: Connection) -> list[pulumi.Resource]:
        app = self._args.parts.metadata
        template = server.metadata_pod(app, self._args.images, connection)
        files = objects.config_map(app, server.metadata_files())
        return self._deploy(app, template, [files], ports={"grpc": METADATA}, after=connection.ready)

    def _door(self) -> list[pulumi.Resource]:
        args, app = self._args, self._args.parts.door
        files = door.files(args.parts, args.mlflow, args.names)
        template = door.pod(app, args.images, files)
        return self._deploy(app, template, [objects.config_map(app, files)], ports=door.PORTS)

    def _server(self, connection: Connection, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args, app = self._args, self._args.parts.server
        document = api_config(
            args.pipelines,
            args.parts,
            (connection.host, connection.port),
            self._store.config,
            args.names,
            Pages(args.pipelines.host, args.tracking_host),
        )
        text = json.dumps(document, indent=1, sort_keys=True)
        fingerprint = args.credentials.fingerprint(Label.BUCKET_PIPELINES)
        template = server.api_pod(app, args.images, connection, self._store.env, text, fingerprint)
        return self._deploy(
            app,
            template,
            [objects.config_map(app, {server.CONFIG: text})],
            ports={"http": HTTP, "grpc": GRPC},
            after=[*connection.ready, *args.accounts, *after],
        )

    def _controllers(self, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args, parts = self._args, self._args.parts
        settings = workflow_config(args.pipelines)
        return [
            *self._deploy(
                parts.workflows,
                controllers.workflow_pod(parts.workflows, args.images, settings),
                [objects.config_map(parts.workflows, settings)],
                ports={"metrics": WORKFLOW_METRICS},
                after=after,
            ),
            *self._deploy(
                parts.persistence,
                controllers.agent_pod(parts, args.images, args.pipelines),
                after=after,
            ),
            *self._deploy(
                parts.schedules,
                controllers.schedule_pod(parts, args.images),
                ports={"metrics": SCHEDULE_METRICS},
                after=after,
            ),
        ]

    def _page(self, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args, app = self._args, self._args.parts.page
        label = Label.PIPELINES_PAGE
        first = [
            objects.config_map(app, page.files(app.platform, args.names)),
            objects.secret(app, {page.SIGNING_KEY: args.credentials.key(label)}),
        ]
        fingerprint = args.credentials.fingerprint(label)
        template = page.pod(args.parts, args.images, args.names, self._store.page_env, fingerprint)
        return self._deploy(app, template, first, ports={"http": PAGE}, after=after)

    def _teams(self, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args = self._args
        shared = teams.TeamArgs(
            args.parts,
            args.pipelines,
            run_store(args.artifacts, args.seaweedfs),
            args.edges,
            args.credentials,
            page=args.pipelines.host is not None,
            embedded_store=isinstance(args.artifacts, EmbeddedArtifacts),
            pull_secret=args.images.pull_secret,
        )
        return [
            register(self, manifest, depends_on=[args.namespaces[name], *after])
            for name in args.names
            for manifest in teams.manifests(name, args.teams[name], shared)
        ]


def _of_part(each: rights.Rights) -> list[Manifest]:
    """The roles of one part; those for the teams' namespaces are bound there, team by team."""
    part = each.part
    subject = [rights.account(part.namespace, part.name)]
    found: list[Manifest] = []
    if each.everywhere:
        name = rights.name_of(part, "everywhere")
        found.append(rights.cluster_role(part, name, each.everywhere))
        found.append(rights.binding(part, name, "ClusterRole", name, subject, everywhere=True))
    if each.teams:
        found.append(rights.cluster_role(part, rights.name_of(part, "teams"), each.teams))
    if each.home:
        found.append(rights.role(part, part.name, each.home))
        found.append(rights.binding(part, part.name, "Role", part.name, subject))
    return found
