"""Kubernetes quantities as numbers, to compare them."""

from __future__ import annotations

from decimal import Decimal

_SUFFIXES: dict[str, Decimal] = {
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P"), 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)},
}


def amount(quantity: str) -> Decimal:
    """The number that a quantity stands for: `1500m` is 1.5, `1Ki` is 1024.

    `quantity` is one that the model accepts (blueprints/model/scalars.py).
    """
    digits = quantity.rstrip("mkKMGTPi")
    suffix = quantity[len(digits) :]
    return Decimal(digits) * _SUFFIXES.get(suffix, Decimal(1))
