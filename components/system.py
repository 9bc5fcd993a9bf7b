"""The namespace of what the platform itself runs, shut but for the platform's own connections."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.manifests import namespaces, network
from components.manifests.metadata import App
from components.objects import component_token, register


@dataclass(frozen=True)
class SystemNamespaceArgs:
    """What a SystemNamespace is made of."""

    app: App
    """Whose the namespace is: the platform as a whole."""
    edges: Sequence[network.Edge]
    """Every connection of the platform; those between others do no harm here."""


class SystemNamespace(pulumi.ComponentResource):
    """A namespace with its network policies. Its parts start after these: no pod ever runs unfenced."""

    namespace: pulumi.Output[str]
    """The namespace's name."""

    def __init__(
        self, name: str, args: SystemNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(SystemNamespace), name, {"namespace": args.app.namespace}, opts)
        namespace = register(self, namespaces.namespace(args.app), holds_data=True)
        policies = [
            register(self, network.app_policy(app, args.edges), depends_on=[namespace])
            for app in network.apps(args.edges)
            if app.namespace == args.app.namespace
        ]
        # The last of them stands for all: each object keeps a list of what it depends on in the state, which
        # the engine writes anew at every step.
        shut = register(self, network.deny_all(args.app), depends_on=[namespace, *policies])
        self.ready: tuple[pulumi.Resource, ...] = (namespace, shut)
        self.namespace = pulumi.Output.from_input(args.app.namespace)
        self.register_outputs({"namespace": self.namespace})
