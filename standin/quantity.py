"""The canonical spelling of quantities: the API server stores `1000m` as `1` and `1024Mi` as `1Gi`.

Two spellings of one quantity must not look like a change. The rules are those of apimachinery's
`resource.Quantity`, its habit of keeping some spellings untouched included.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal
from fractions import Fraction
from typing import Final

_SYNTAX: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([a-zA-Z]?i?|[eE][+-]?\d+)")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX: Final = {exponent: suffix for suffix, exponent in _BINARY.items()} | {0: ""}
_LARGEST: Final = 2**63 - 1


def canonical(text: str) -> str:
    """`text` as the API server spells it; unchanged where it is no quantity (the server will say so)."""
    match = _SYNTAX.fullmatch(text)
    if match is None:
        return text
    sign, whole, fraction, suffix = match[1], match[2], match[3] or "", match[4]
    if not (whole or fraction):
        return text
    whole = whole.lstrip("0") or "0" if len(whole) > 1 else whole
    if suffix in _BINARY:
        return _binary(text, sign, whole, fraction, _BINARY[suffix])
    if suffix in _DECIMAL:
        return _decimal(text, sign, whole, fraction, _DECIMAL[suffix], exponential=False)
    if suffix[:1] in ("e", "E") and suffix[1:].lstrip("+-").isdigit():
        return _decimal(text, sign, whole, fraction, int(suffix[1:]), exponential=True)
    return text


def _binary(text: str, sign: str, whole: str, fraction: str, exponent: int) -> str:
    if not fraction and int(whole or "0") & 7:
        return text
    value = Fraction(Decimal(f"{whole or 0}.{fraction or 0}")) * 2**exponent
    value = min(value, Fraction(_LARGEST))
    if value and (value < 1024 or value.denominator != 1):
        return _with_suffix(sign, value, exponential=False)
    number, power = int(value), 0
    while number and number % 1024 == 0 and power < 60:
        number, power = number // 1024, power + 10
    return _signed(sign, number, _BINARY_SUFFIX[power])


def _decimal(text: str, sign: str, whole: str, fraction: str, exponent: int, *, exponential: bool) -> str:
    digits, scale = whole + fraction, exponent - len(fraction)
    untouched = scale % 3 == 0 and not digits.endswith("000") and not digits.startswith("0")
    if untouched and scale >= -9 and len(digits) < 18:
        return text
    return _with_suffix(sign, Fraction(int(digits)) * Fraction(10) ** scale, exponential=exponential)


def _with_suffix(sign: str, value: Fraction, *, exponential: bool) -> str:
    """A whole number of nanos at least, with the largest suffix that leaves a whole number."""
    nanos = Decimal(value.numerator * 10**9) / Decimal(value.denominator)
    number, exponent = int(nanos.to_integral_value(rounding=ROUND_UP)), -9
    while number and number % 1000 == 0 and exponent < 18:
        number, exponent = number // 1000, exponent + 3
    if not exponential:
        return _signed(sign, number, _DECIMAL_SUFFIX[exponent])
    return _signed(sign, number, f"e{exponent}" if exponent else "")


def _signed(sign: str, number: int, suffix: str) -> str:
    if not number:
        return "0"
    return f"{'-' if sign == '-' else ''}{number}{suffix}"
