"""The rotation of credentials: which there are, whether it may be done now, and doing it.

A credential is changed by raising its number in the stack's configuration; what follows from that is an
ordinary run. The numbers of a run that was completed are in the state, so that a rotation that was cut off
is known as one until `ziggurat up` has completed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blueprints.loader import plain
from blueprints.model import Blueprint
from components.rotation import Rotatable, brought, rotatables
from ziggurat.engine.preflight import Checked
from ziggurat.engine.runs import Applied, Preview, Run, describe, require_unblocked
from ziggurat.engine.target import Target
from ziggurat.errors import BlockedError, ZigguratError


@dataclass(frozen=True)
class Listing:
    """What can be rotated on a platform."""

    target: Target
    items: tuple[Rotatable, ...]
    numbers: Mapping[str, int]
    """The rotation numbers in the configuration, by label."""
    applied: Mapping[str, int]
    """Those of the last run that was completed."""
    brought: Mapping[str, str | None]
    store: str | None = None
    """The store that has every credential, and where they are changed; None where Ziggurat derives them."""

    def as_json(self) -> dict[str, Any]:
        """The listing for a machine."""
        return {
            **describe(self.target),
            "rotations": [
                {
                    "name": item.name,
                    "number": number(item, self.numbers),
                    "finished": self._finished(item),
                    "meaning": item.meaning,
                    "restarts": item.restarts,
                    "notice": item.notice,
                }
                for item in self.items
            ],
            "brought": dict(self.brought),
            "store": self.store,
        }

    def text(self) -> str:
        """The listing for a person."""
        lines = [f"{self.target.platform} on {self.target.description}"]
        if self.store:
            lines += [
                f"\nevery credential is an entry of the store {self.store}: change it there and restart what",
                "reads it (docs/operations.md, Credentials from a store); `ziggurat outputs` has the keys",
            ]
        for item in self.items:
            count = f"rotation {number(item, self.numbers)}"
            unfinished = "" if self._finished(item) else " (not finished: run `ziggurat up`)"
            lines += [f"\n{item.name}   {count}{unfinished}", *_explained(item)]
        if self.brought:
            lines += ["", "brought, so not Ziggurat's to rotate:"]
            lines += [f"    {name}: {_where(secret)}" for name, secret in self.brought.items()]
        return "\n".join(lines)

    def _finished(self, item: Rotatable) -> bool:
        return all(self.numbers.get(label, 0) == self.applied.get(label, 0) for label in item.labels)


@dataclass(frozen=True)
class Rotated:
    """What a rotation did."""

    applied: Applied
    numbers: Mapping[str, int]
    """{name: its rotation number now}."""

    def as_json(self) -> dict[str, Any]:
        """The result for a machine."""
        return {"rotated": dict(self.numbers), **self.applied.as_json()}

    def text(self) -> str:
        """The result for a person."""
        rotated = ", ".join(f"{name} (rotation {number})" for name, number in self.numbers.items())
        kept = f"keep {self.applied.target.config} in version control: the numbers are in it"
        own = [] if self.applied.target.sandbox else [kept]
        return "\n".join([f"rotated: {rotated}", *own, self.applied.text()])


@dataclass(frozen=True)
class Rotation:
    """A rotation that has been previewed."""

    run: Run
    chosen: tuple[Rotatable, ...]
    numbers: Mapping[str, int]
    """Every rotation number as it will be, by label."""
    checked: Checked
    preview: Preview

    def text(self) -> str:
        """What is rotated, and what a run would change for it."""
        lines: list[str] = []
        for item in self.chosen:
            lines += [f"{item.name} -> rotation {number(item, self.numbers)}", *_explained(item)]
        return "\n".join([*lines, "", self.preview.text()])

    def carry_out(self) -> Rotated:
        """Raises the numbers and runs `up`. If that fails the numbers stay; the remedy says what to do."""
        run = self.run
        run.engine.configure(self.checked.cluster_id, self.numbers)
        try:
            applied = run.up(self.checked, self.preview)
        except ZigguratError as error:
            first = f"{error.remedy}; then " if error.remedy else ""
            error.remedy = (
                f"{first}complete the rotation: ziggurat up {run.target.arguments()} "
                "(the numbers are raised and stay so; do not rotate again before)"
            )
            raise
        return Rotated(applied, {item.name: number(item, self.numbers) for item in self.chosen})


def listing(run: Run) -> Listing:
    """What can be rotated on a platform, and how often it was."""
    blueprint, engine = run.loaded.blueprint, run.engine
    stored = blueprint.external_secrets
    found = () if stored else rotatables(blueprint)
    return Listing(
        run.target,
        found,
        engine.rotations,
        engine.state.rotations,
        brought(blueprint),
        stored.store if stored else None,
    )


def choose(run: Run, names: Sequence[str]) -> tuple[Rotatable, ...]:
    """What `names` mean, each once; ZigguratError if one means nothing, or what the user brings."""
    known = {item.name: item for item in rotatables(run.loaded.blueprint)}
    secrets = brought(run.loaded.blueprint)
    for name in names:
        if name in secrets and name not in known:
            raise _not_ours(run.target, name, secrets[name])
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ZigguratError(
            f"nothing to rotate is called {', '.join(unknown)}",
            where=str(run.target.blueprint),
            remedy=f"choose of: {', '.join(known)}",
        )
    return tuple(known[name] for name in dict.fromkeys(names))


def prepare(run: Run, chosen: tuple[Rotatable, ...]) -> Rotation:
    """Previews a rotation; writes nothing. Raises what stands in the way."""
    require_derived(run.loaded.blueprint, str(run.target.blueprint))
    require_settled(run)
    numbers = raised(run.engine.rotations, chosen)
    checked = run.check(numbers)
    if checked.moved:
        raise _unfinished(run, "the sandbox is another one than at the last run")
    preview = run.preview(refresh=False, adopt=checked.adopt, rotations=numbers)
    require_unblocked(preview)
    return Rotation(run, chosen, numbers, checked, preview)


def require_derived(blueprint: Blueprint, where: str) -> None:
    """BlockedError if the credentials come from a store: they are changed there."""
    if blueprint.external_secrets:
        raise BlockedError(
            f"the credentials are in the store {blueprint.external_secrets.store}: nothing was rotated",
            where=f"{where}: externalSecrets",
            remedy="change the entry in the store, then restart what reads it (docs/operations.md, "
            "Credentials from a store)",
        )


_SERVERS = ("Deployment", "StatefulSet")
"""What a platform that was taken down, its data kept, no longer has."""


def require_settled(run: Run) -> None:
    """BlockedError unless the platform runs, as the blueprint says, and its last run was completed.

    A password that is rotated twice before the database has learnt the first is one too many; and a rotation
    should change nothing but what is rotated.
    """
    engine = run.engine
    if not any(item.kind in _SERVERS for item in engine.state.objects):
        raise _unfinished(run, "the platform does not run, so there is nothing to rotate")
    if engine.interrupted:
        raise _unfinished(run, "the last run did not finish")
    if engine.rotations != dict(engine.state.rotations):
        raise _unfinished(run, "the last rotation did not finish")
    if engine.state.blueprint != plain(run.loaded.blueprint):
        raise _unfinished(run, "the blueprint has changes that are not applied yet")


def _unfinished(run: Run, what: str) -> BlockedError:
    return BlockedError(
        f"{what}: nothing was rotated",
        where=f"stack {run.target.stack}",
        remedy=f"first run: ziggurat up {run.target.arguments()}",
    )


def _not_ours(target: Target, name: str, secret: str | None) -> ZigguratError:
    if secret is None:
        return ZigguratError(
            f"the {name} is brought, and its pods have an identity instead of a key: nothing can be rotated",
            where=str(target.blueprint),
        )
    workload = "oauth2-proxy" if name == "oidc-client" else "mlflow"
    restart = f"{target.kubectl()} --namespace {target.platform} rollout restart deployment/{workload}"
    return ZigguratError(
        f"the {name} is brought, so its credential is yours to change",
        where=f"Secret {target.platform}/{secret}",
        remedy=f"make the new credential where it is kept, put it into that Secret, then: {restart}",
    )


def raised(numbers: Mapping[str, int], chosen: Sequence[Rotatable]) -> dict[str, int]:
    """The rotation numbers with those of `chosen` one higher."""
    labels = [label for item in chosen for label in item.labels]
    return {**numbers, **{label: numbers.get(label, 0) + 1 for label in labels}}


def number(item: Rotatable, numbers: Mapping[str, int]) -> int:
    """How often something was rotated."""
    return max(numbers.get(label, 0) for label in item.labels)


def _explained(item: Rotatable) -> list[str]:
    notice = [f"    notice:    {item.notice}"] if item.notice else []
    return [f"    what:      {item.meaning}", f"    restarts:  {item.restarts}", *notice]


def _where(secret: str | None) -> str:
    return f"in your Secret {secret}" if secret else "no key, the pods have an identity of their own"
