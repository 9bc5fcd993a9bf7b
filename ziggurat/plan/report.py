"""How a plan and a difference are shown: drawn for people, as plain data for machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ziggurat.plan.comparison import Difference, FieldChange, ObjectChange
from ziggurat.plan.footprint import footprint, requests, total
from ziggurat.plan.model import Plan, PlannedObject

_WIDTH = 120
"""Columns where there is no terminal to ask, such as in a CI log."""
_LONGEST = 60
"""Characters of a changed value that are shown."""

_STYLES = {"appears": "green", "changes": "yellow", "moves": "magenta", "goes": "red"}
_SIGNS = {"appears": "+", "changes": "~", "moves": "±", "goes": "-"}
_TOTALS = {
    "appears": "{} to appear",
    "changes": "{} to change",
    "moves": "{} to be made anew",
    "goes": "{} to go",
}


def console() -> Console:
    """Standard output: as wide as the terminal, or wide enough for a log."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH)


def draw_plan(plan: Plan) -> list[RenderableType]:
    """The plan as a tree of components and their objects, then what all of it comes to."""
    return [
        f"[bold]{escape(plan.platform)}[/bold], phase {escape(plan.phase)}: planned offline",
        "",
        _tree(plan),
        "",
        _facts(plan),
        "",
        count(plan),
    ]


def count(plan: Plan) -> str:
    """One line: how many objects, how many hold data, and what their check came to."""
    data = sum(planned.protected for planned in plan.objects)
    report = plan.schemas
    checked = f"{report.checked} checked against Kubernetes {report.version}"
    if report.unchecked:
        checked += f", {len(report.unchecked)} not checked (no schema)"
    verdict = f"{_plural(len(report.problems), 'problem')}" if report.problems else "no problem"
    return (
        f"{_plural(len(plan.objects), 'object')} in {_plural(len(plan.components), 'component')}; "
        f"{data} {'holds' if data == 1 else 'hold'} data; {checked}: {verdict}"
    )


def _tree(plan: Plan) -> RenderableType:
    root = Tree("", hide_root=True, guide_style="dim")
    nodes: dict[str, Tree] = {}
    for component in plan.components:
        own = plan.children.get(component.urn, ())
        asked = total(own)
        title = f"[bold]{escape(component.title)}[/bold]" + (f"  [dim]{asked}[/dim]" if asked else "")
        node = nodes[component.urn] = nodes.get(component.parent, root).add(title)
        if own:
            node.add(_objects(own))
    loose = [each for each in plan.objects if each.parent not in nodes]
    if loose:
        root.add(_objects(tuple(loose)))
    return root


def _objects(objects: tuple[PlannedObject, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    for planned in objects:
        name = f"{planned.namespace}/{planned.object_name}" if planned.namespace else planned.object_name
        table.add_row(
            Text(planned.kind, style="cyan"),
            Text(name),
            Text(str(requests(planned)), style="dim"),
            Text("holds data" if planned.protected else "", style="yellow"),
        )
    return table


def _facts(plan: Plan) -> Table:
    sums = footprint(plan)
    table = Table.grid(padding=(0, 2))
    table.add_row("requests", f"{sums.running or 'none'} all the time")
    if sums.jobs:
        table.add_row("", f"{sums.jobs} while jobs run")
    for index, image in enumerate(sums.images):
        table.add_row("images" if index == 0 else "", Text(image))
    for index, chart in enumerate(plan.outputs.get("charts", ())):
        table.add_row("charts" if index == 0 else "", Text(f"{chart} (what its pods ask for is not counted)"))
    kinds = Counter(planned.kind for planned in plan.objects)
    table.add_row("kinds", Text(", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))))
    return table


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The whole plan for a machine; secrets are masked."""
    sums = footprint(plan)
    return {
        "platform": plan.platform,
        "phase": plan.phase,
        "offline": True,
        "kubernetes": {
            "version": plan.schemas.version,
            "checked": plan.schemas.checked,
            "unchecked": list(plan.schemas.unchecked),
            "problems": [asdict(problem) for problem in plan.problems],
        },
        "requests": {"running": sums.running.as_json(), "jobs": sums.jobs.as_json()},
        "images": list(sums.images),
        "charts": list(plan.outputs.get("charts", ())),
        "components": [asdict(component) for component in plan.components],
        "objects": [_object_as_json(planned) | {"manifest": planned.manifest} for planned in plan.objects],
        "outputs": plan.outputs,
    }


def _object_as_json(planned: PlannedObject) -> dict[str, Any]:
    return {
        "urn": planned.urn,
        "type": planned.type,
        "apiVersion": planned.api_version,
        "kind": planned.kind,
        "namespace": planned.namespace,
        "name": planned.object_name,
        "component": planned.parent,
        "dependsOn": list(planned.dependencies),
        "holdsData": planned.protected,
    }


def draw_difference(difference: Difference, before: str, after: str) -> list[RenderableType]:
    """What appears, changes and goes from blueprint `before` to blueprint `after`."""
    drawn: list[RenderableType] = [
        f"From [bold]{escape(before)}[/bold] to [bold]{escape(after)}[/bold], planned offline",
        "",
    ]
    for change in difference.changes:
        style = _STYLES[change.action]
        data = Text("  holds data", style="bold yellow") if change.planned.protected else Text()
        drawn.append(Text(f"{_SIGNS[change.action]} {change.planned.label}", style=style) + data)
        drawn += [_field(field) for field in change.fields]
    if difference:
        drawn.append("")
    return [*drawn, difference_count(difference)]


def difference_count(difference: Difference) -> str:
    """One line: how many objects differ in which way, and how many of them hold data that would be lost."""
    if not difference:
        return f"no difference: the same {_plural(difference.same, 'object')}"
    actions = Counter(change.action for change in difference.changes)
    parts = [text.format(actions[action]) for action, text in _TOTALS.items() if actions[action]]
    data = [change.planned.label for change in difference.changes if change.touches_data]
    loss = f"; data would not come along: {', '.join(data)}" if data else "; nothing that holds data goes"
    return f"{', '.join(parts)}, {difference.same} the same{loss}"


def _field(field: FieldChange) -> Text:
    text = Text(f"    {field.path}: ")
    text.append(_short(field.before), style="red")
    text.append(" → ")
    text.append(_short(field.after), style="green")
    return text


def difference_as_json(difference: Difference, before: str, after: str) -> dict[str, Any]:
    """The difference for a machine; secrets are masked."""
    return {
        "before": before,
        "after": after,
        "same": difference.same,
        "changes": [_change_as_json(change) for change in difference.changes],
    }


def _change_as_json(change: ObjectChange) -> dict[str, Any]:
    return {
        "action": change.action,
        "dataWouldBeLost": change.touches_data,
        **_object_as_json(change.planned),
        "fields": [asdict(field) for field in change.fields],
    }


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
