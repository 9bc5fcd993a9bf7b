"""What a failed run of the engine means, and what to do about it: one table, and the one place that reads it.

The engine, the provider and the API server say what went wrong in sentences. Each rule knows one of them
by a pattern, and turns it into an error with its place, its remedy and its exit code. What no rule knows
is shown as the engine said it, whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ziggurat.engine.changes import Diagnostic
from ziggurat.errors import (
    BlockedError,
    ClusterError,
    InvalidBlueprintError,
    LockedError,
    SecretsError,
    ToolError,
    ZigguratError,
)


@dataclass(frozen=True)
class Rule:
    """One sentence that is known, and what it means.

    `message`, `where` and `remedy` may use the pattern's named groups, and `{stack}`. A rule without a
    message keeps the sentence itself.
    """

    pattern: str
    error: type[ZigguratError]
    message: str = ""
    where: str = ""
    remedy: str = ""


RULES: tuple[Rule, ...] = (
    # Secrets
    Rule(
        r"incorrect passphrase",
        SecretsError,
        "the passphrase is not the one that this stack's secrets are encrypted with",
        "stack {stack}",
        "set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the stack's own passphrase",
    ),
    Rule(
        r"passphrase must be set|unable to find either `?PULUMI_CONFIG_PASSPHRASE",
        SecretsError,
        "no passphrase is set, and this stack's secrets are encrypted with one",
        "stack {stack}",
        "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it",
    ),
    Rule(
        r"(?:missing|Missing) required configuration variable '?(?P<key>[\w-]+:rootSecret)'?",
        SecretsError,
        "the stack has no root secret, from which every credential is derived",
        "{key} of stack {stack}",
        "run `ziggurat up`, which makes one for a new stack; or put back that of an existing one",
    ),
    # The state and its backend
    Rule(
        r"(?P<what>the stack is currently locked by[\s\S]*|Another update is currently in progress)",
        LockedError,
        "another run is at work on this platform, or one was killed and left its lock",
        "stack {stack}: {what}",
        "wait for it to end; if you are sure that none runs: pulumi cancel --stack {stack}",
    ),
    Rule(
        r"no stack named '?(?P<name>[^'\s]+)'? found",
        ZigguratError,
        "there is no stack {name}",
        remedy="`ziggurat up` makes it; `pulumi stack ls` shows those that there are, --stack names another",
    ),
    Rule(
        r"PULUMI_ACCESS_TOKEN must be set|not logged in",
        SecretsError,
        "Pulumi is not logged in to a backend for its state",
        remedy="run `pulumi login` (for files: pulumi login file:///PATH), or set PULUMI_BACKEND_URL",
    ),
    Rule(
        r"failed to (?:decode|verify integrity of) (?:checkpoint|snapshot)[^\n]*"
        r"|snapshot integrity failure[^\n]*",
        ZigguratError,
        where="stack {stack}",
        remedy="restore the state from a backup: pulumi stack history, then pulumi stack import",
    ),
    # Tools
    Rule(
        r"no (?P<kind>resource|language) plugin '?(?P<plugin>pulumi-(?:resource|language)-[\w-]+)'? found"
        r"(?:[^\n]*? at version (?P<version>v[\w.-]+))?",
        ToolError,
        "the plugin {plugin} {version} is missing",
        remedy="with a free network: pulumi plugin install {kind} kubernetes {version}; "
        "`ziggurat doctor` says more",
    ),
    Rule(
        r"(?:[Cc]ould not automatically download|failed to download|could not download) (?P<what>[^\n]*)",
        ToolError,
        "a plugin could not be downloaded: {what}",
        remedy="check the network or the proxy, then run the same command again; see `ziggurat doctor`",
    ),
    Rule(
        r"No module named '(?P<module>[\w.]+)'",
        ToolError,
        "the Python that runs the program has no module {module}",
        remedy="install Ziggurat into the virtual environment that Pulumi.yaml names; see `ziggurat doctor`",
    ),
    # The blueprint
    Rule(
        r"(?P<what>\S+\.ya?ml:\d+:\d+: [^\n]*(?:\n\S+\.ya?ml:\d+:\d+: [^\n]*)*)",
        InvalidBlueprintError,
        "{what}",
    ),
    # The cluster, as a whole
    Rule(
        r"configured Kubernetes cluster is unreachable:? *(?P<why>[^\n]*)",
        ClusterError,
        "the cluster cannot be reached: {why}",
        remedy="check that it runs and that its address and certificates in the kubeconfig are right",
    ),
    Rule(
        r"[Cc]onnection (?:refused|reset by peer)|dial tcp [^\n]*(?:i/o timeout|no such host)|ECONNREFUSED",
        ClusterError,
        "the cluster stopped answering while the run was going on",
        remedy="make sure that it answers, then run the same command again: it goes on from there",
    ),
    Rule(
        r"\bUnauthorized\b|the server has asked for the client to provide credentials",
        ClusterError,
        "the cluster refuses the credentials of the kubeconfig: they are wrong or have expired",
        remedy="log in to the cluster again, then run the same command again",
    ),
    # One object
    Rule(
        r"violates PodSecurity \"(?P<level>[^\"]+)\": (?P<why>[^\n]*)",
        ZigguratError,
        "Pod Security ({level}) does not admit a pod: {why}",
        remedy="raise the namespace's level, or report it: Ziggurat's own pods fit the level that it sets",
    ),
    Rule(
        r"exceeded quota: (?P<quota>[^,\n]+), (?P<why>[^\n]*)",
        ZigguratError,
        "the quota {quota} is used up: {why}",
        remedy="raise the team's quota in the blueprint, or end something that uses it",
    ),
    Rule(
        r"admission (?:webhook|policy) \"?(?P<name>[^\"\s]+)\"? denied(?: the request)?:? *(?P<why>[^\n]*)",
        ZigguratError,
        "the cluster's admission policy {name} refuses the object: {why}",
        remedy="ask those who run the cluster for an exception, or change what the policy names",
    ),
    Rule(
        r"User \"(?P<user>[^\"]+)\" cannot (?P<what>[^\n]*)",
        ClusterError,
        "{user} may not {what}",
        remedy="give that account the rights (docs/operations.md), or use another kubeconfig context",
    ),
    Rule(
        r"(?P<kind>[\w.]+) \"(?P<name>[^\"]+)\" already exists",
        BlockedError,
        '{kind} "{name}" exists already and this platform did not make it',
        remedy="if nobody needs it, delete it (kubectl delete {kind} {name}); to take it over, import it "
        "(docs/operations.md); or give the platform another name",
    ),
    Rule(
        r"conflicts? with \"(?P<manager>[^\"]+)\"[^:\n]*:(?P<fields>(?:[\s-]*\.[^\s,]+)+)",
        BlockedError,
        "{manager} has taken over what the blueprint sets: {fields}",
        remedy="to take it back: ziggurat up --take-over; or stop what changes it",
    ),
    Rule(
        r"resource \"?(?P<urn>urn:pulumi:\S+?)\"? cannot be deleted\s+because it is protected",
        BlockedError,
        "the run would delete or replace an object that holds data",
        "{urn}",
        "name the object if its data may go: ziggurat up --delete KIND/NAME",
    ),
    Rule(
        r"unknown field \"(?P<field>[^\"]+)\"|\.(?P<path>[\w.\[\]]+): field not declared in schema",
        ZigguratError,
        "the API server does not know a field of the object: {field}{path}",
        remedy="the cluster may be older than is supported (docs/operations.md); if not, report a bug",
    ),
    Rule(
        r"(?P<what>[^\n]*(?:timed out (?:waiting|after)|failed to (?:become|fully init)|not become live)"
        r"[^\n]*(?:\n\s+\*[^\n]*)*)",
        ZigguratError,
        "an object was made but did not become ready in time: {what}",
        remedy="see why with `ziggurat status`; then run `ziggurat up` again, which goes on from there",
    ),
)
"""Looked at from the top; the first that matches wins, so the particular stands before the general."""

PROGRAM_TRACEBACK = "Program failed with an unhandled exception"

_CODE = re.compile(r"^\s*code: (-?\d+)")
_STDERR = re.compile(r"^ ?stderr: ?", re.MULTILINE)
_ERROR_PREFIX = re.compile(r"^error: ", re.MULTILINE)


def exit_code(text: str) -> int:
    """The CLI's exit code, from the text of the Automation API's CommandError; 1 where it has none."""
    found = _CODE.search(text)
    return int(found.group(1)) if found else 1


def error_output(text: str) -> str:
    """What the CLI wrote to standard error, from the text of a CommandError."""
    return _ERROR_PREFIX.sub("", _STDERR.split(text)[-1]).strip()


def failure(
    text: str,
    diagnostics: Sequence[Diagnostic] = (),
    *,
    stack: str = "",
    names: Mapping[str, str] | None = None,
) -> ZigguratError:
    """The error that a failed run ends with.

    `text` is that of the Automation API's CommandError, `diagnostics` are those of the run, `names` the
    labels of objects by URN (they say where).
    """
    names = names or {}
    errors = [item for item in diagnostics if item.severity in ("error", "info#err") and _tells(item)]
    for item in errors:
        known = match(item.message, stack=stack, where=names.get(item.urn, ""))
        if known is not None:
            others = [other for other in errors if other is not item and other.urn and other.urn != item.urn]
            return _with_others(known, others, names)
    complaint = error_output(text)
    known = match(complaint, stack=stack)
    if known is not None:
        return known
    said = "\n".join(dict.fromkeys(_place(item, names) + item.message for item in errors))
    return ZigguratError(
        f"the engine failed:\n{_indented(said or complaint)}",
        where=f"stack {stack}" if stack else "",
        remedy="mend what it names, then run the same command again: it goes on from there",
    )


_OTHERS = 10
"""How many further failures of one run are named."""


def _with_others(
    error: ZigguratError, others: Sequence[Diagnostic], names: Mapping[str, str]
) -> ZigguratError:
    """The error, with the other objects that failed in the same run."""
    lines = [f"  also: {_place(item, names)}{_first_line(item.message)}" for item in others[:_OTHERS]]
    if not lines:
        return error
    message = "\n".join([error.message, *dict.fromkeys(lines)])
    return type(error)(message, where=error.where, remedy=error.remedy)


def _first_line(text: str) -> str:
    """The first line of a message that says something; the provider heads lists with a count."""
    lines = [line.strip().removeprefix("* ") for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not line.endswith("occurred:")), text.strip())


def match(text: str, *, stack: str = "", where: str = "") -> ZigguratError | None:
    """The error that a sentence stands for; None if no rule knows it."""
    for rule in RULES:
        found = re.search(rule.pattern, text)
        if found is None:
            continue
        words = {key: (value or "").strip() for key, value in found.groupdict().items()} | {"stack": stack}
        message = " ".join((rule.message or "{sentence}").format(sentence=found.group(0), **words).split(" "))
        place = rule.where.format(**words) if rule.where else where
        return rule.error(message.strip().rstrip(":."), where=place, remedy=rule.remedy.format(**words))
    return None


def _tells(diagnostic: Diagnostic) -> bool:
    """Whether a diagnostic says more than that something failed (the engine adds such lines)."""
    return diagnostic.message.strip() not in (
        "update failed",
        "preview failed",
        "one or more errors occurred",
    )


def _place(diagnostic: Diagnostic, names: Mapping[str, str]) -> str:
    label = names.get(diagnostic.urn, "")
    return f"{label}: " if label else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
