"""The kinds of single values that a blueprint holds, each with its rule.

Patterns are those of Kubernetes; `patternErrorMessage` says them in words, to users and to editors.
blueprints/rules.py checks what a pattern cannot.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from blueprints.quantities import amount

_LABEL = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$"
_QUANTITY_WORDS = "a Kubernetes quantity, such as 500m, 2 or 20Gi"


def text(pattern: str, words: str, max_length: int | None = None) -> Any:
    """A field of text that matches `pattern`, which `words` says to people."""
    return Field(pattern=pattern, max_length=max_length, json_schema_extra={"patternErrorMessage": words})


def _number_as_text(value: Any) -> Any:
    """Kubernetes takes `cpu: 8` as the quantity `8`; so do we."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _between(low: str, high: str) -> tuple[Any, ...]:
    """The annotations of a quantity from `low` to `high`."""

    def check(value: str) -> str:
        if not amount(low) <= amount(value) <= amount(high):
            kind = "quantity_too_small" if amount(value) < amount(low) else "quantity_too_large"
            raise PydanticCustomError(kind, "out of range", {"low": low, "high": high})
        return value

    schema: dict[str, Any] = {
        "type": ["string", "number"],
        "patternErrorMessage": _QUANTITY_WORDS,
        "x-quantity": {"minimum": low, "maximum": high},
    }
    return (
        Field(pattern=_QUANTITY, json_schema_extra=schema),
        AfterValidator(check),
        BeforeValidator(_number_as_text),
    )


Label = Annotated[
    str, text(f"^{_LABEL}$", "lower case letters, digits and dashes, beginning with a letter", max_length=40)
]
"""A name that becomes part of Kubernetes names."""

ObjectName = Annotated[
    str, text(f"^{_SUBDOMAIN}$", "lower case letters, digits, dashes and dots (RFC 1123)", max_length=253)
]
"""The name of an object that exists already, such as a brought Secret."""

UserName = Annotated[
    str, text(f"^{_SUBDOMAIN}$", "lower case letters, digits, dashes and dots (RFC 1123)", max_length=63)
]
"""The name of an MLflow account; it becomes part of the name of a Secret."""

Cpu = Annotated[str, *_between("1m", "100000")]
"""An amount of CPU, in cores."""

Memory = Annotated[str, *_between("1Mi", "1Pi")]
"""An amount of memory, in bytes."""

Storage = Annotated[str, *_between("1Gi", "1Pi")]
"""The size of a volume, or of several, in bytes."""

HostName = Annotated[
    str,
    text(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$",
        "a DNS name in lower case with at least one dot; no scheme, port or path",
        max_length=253,
    ),
]
"""A DNS name under which people reach something."""

Server = Annotated[
    str,
    text(
        r"^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$",
        "a host name or an IP address; no scheme, port or path",
        max_length=253,
    ),
]
"""The name or address of a server."""

HttpsUrl = Annotated[
    str,
    text(r"^https://[^\s/?#]+(/[^\s?#]*)?$", "an https URL without query and fragment", max_length=2048),
]
"""A URL that is exact to the letter, such as an OIDC issuer's."""

Cron = Annotated[
    str,
    text(r"^\S+ \S+ \S+ \S+ \S+$", "five cron fields: minute, hour, day, month, weekday", max_length=100),
]
"""When something runs, in UTC."""

Email = Annotated[
    str,
    text(r"^[a-z0-9][a-z0-9._+-]*@[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", "an e-mail address, in lower case", 254),
]
"""Somebody's e-mail address."""

GroupName = Annotated[str, Field(min_length=1, max_length=256)]
"""A group, as the OIDC issuer's tokens spell it."""

PersonName = Annotated[
    str,
    text(
        r"^[^\s:,]+$",
        "the name that the issuer gives a person, such as ada@acme.org; no spaces, colons and commas",
        max_length=256,
    ),
]
"""A person, as the OIDC issuer's tokens spell them. `system:` is Kubernetes' own: hence no colons."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port."""
