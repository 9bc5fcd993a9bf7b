"""What the API server refuses in the teams' namespaces, beside what Pod Security does."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from blueprints.model.admission import Admission
from components.manifests import admission
from components.manifests.admission import Policy
from components.manifests.metadata import App
from components.objects import component_token, register


@dataclass(frozen=True)
class AdmissionPoliciesArgs:
    """What AdmissionPolicies are made of."""

    app: App
    admission: Admission
    images: Sequence[str]
    """The platform's own images, as pods name them: always allowed."""
    mirror: str | None = None
    """The registry that holds all of them, if there is one."""
    queues: bool = False
    """Whether the teams have queues."""
    owners: Sequence[str] = ()
    """The kinds that teams may make, and whose controllers make pods."""
    gpu_runtimes: Sequence[str] = ()
    """The runtimes of teams that take GPUs by themselves."""


class AdmissionPolicies(pulumi.ComponentResource):
    """A ValidatingAdmissionPolicy for each rule, bound to the platform's team namespaces and to no other."""

    actions: pulumi.Output[dict[str, str]]
    """What each policy does with what it finds, by the policy's name."""

    def __init__(
        self, name: str, args: AdmissionPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        chosen = policies(args)
        shown = {rule.name: action for rule, action in chosen}
        super().__init__(component_token(AdmissionPolicies), name, {"actions": shown}, opts)
        for rule, action in chosen:
            made = register(self, admission.policy(args.app, rule))
            register(self, admission.binding(args.app, rule, action), depends_on=[made])
        self.actions = pulumi.Output.from_input(shown)
        self.register_outputs({"actions": self.actions})


def policies(args: AdmissionPoliciesArgs) -> list[tuple[Policy, str]]:
    """The rules that are in force, each with its action."""
    chosen = args.admission
    allowed = chosen.allowed_registries or ((args.mirror,) if args.mirror else registries(args.images))
    found: list[tuple[Policy, str]] = [
        (admission.registries(allowed, args.images), chosen.registries),
        (admission.tags(), chosen.tags),
        (admission.requests(), chosen.requests),
    ]
    if args.queues:
        found.append((admission.gpu_queue(), chosen.gpu_queue or "Deny"))
        if args.owners:
            rule = admission.gpu_owners(args.owners, args.gpu_runtimes)
            found.append((rule, chosen.gpu_queue or "Deny"))
    return found


def registries(images: Sequence[str]) -> tuple[str, ...]:
    """The hosts that images come from."""
    return tuple(sorted({image.partition("/")[0] for image in images}))
