"""The platform: every component of a blueprint, put together."""

from dataclasses import dataclass, field

import pulumi

from blueprints.model import Blueprint
from components.capabilities import CAPABILITIES, FRONT
from components.core import core, ground
from components.credentials import Credentials, StoredCredentials
from components.objects import component_token


@dataclass(frozen=True)
class MLPlatformArgs:
    """What an MLPlatform is made of."""

    blueprint: Blueprint
    """Resolved: phase defaults are filled in, and nothing here asks for the phase."""
    credentials: Credentials = field(repr=False)


class MLPlatform(pulumi.ComponentResource):
    """A machine-learning platform on Kubernetes."""

    namespace: pulumi.Output[str]
    """The namespace of what the platform itself runs."""
    tracking_uri: pulumi.Output[str]
    """The tracking server's URL inside the cluster."""
    artifacts_uri: pulumi.Output[str]
    """Where MLflow's artifacts are."""
    external_secrets: dict[str, str]
    """The keys that the outside store has to hold, and the format of each; none where there is no store."""

    def __init__(self, name: str, args: MLPlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_token(MLPlatform), name, {"name": args.blueprint.name}, opts)
        on = ground(name, args.blueprint, args.credentials, pulumi.ResourceOptions(parent=self))
        for key, begin in FRONT.items():
            if getattr(args.blueprint, key):
                on.made[key] = begin(on)
        made = core(on)
        for key, provision in CAPABILITIES.items():
            if getattr(args.blueprint, key):
                made.made[key] = provision(made)
        self.namespace = made.system.namespace
        self.tracking_uri = made.server.uri
        self.artifacts_uri = made.bucket.uri
        stored = made.credentials
        self.external_secrets = stored.formats if isinstance(stored, StoredCredentials) else {}
        self.register_outputs(
            {
                "namespace": self.namespace,
                "tracking_uri": self.tracking_uri,
                "artifacts_uri": self.artifacts_uri,
            }
        )
