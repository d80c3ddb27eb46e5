"""Decimals as text that sorts in the order of the numbers, for databases without exact ones.

    1.10     →  15001 11!0002      (without the blank)
    0        →  0!0000
    -1.10    →  -4998 88~0002

Sign (`-` < `0` < `1`), the exponent of `0.d₁d₂…` plus 5000, the digits without zeros at either
end, a mark that ends them (`!` sorts before every digit), the scale. Negative numbers have
exponent and digits replaced by their complements to 9, and a mark that sorts after every digit.
So numbers sort first by value, then by scale; those of one value lie side by side.
"""

from __future__ import annotations

from decimal import Decimal

LARGEST_EXPONENT = 1000
"""Digits before the point, and after it, that a stored Decimal may have."""

_BIAS = 5000
_NINES = str.maketrans("0123456789", "9876543210")


def encoded(value: Decimal) -> str:
    """The text of a finite Decimal within the bounds above."""
    _, _, exponent = value.as_tuple()
    assert isinstance(exponent, int), "finite"  # noqa: S101
    return f"{key(value)}{max(0, -exponent):04d}"


def decoded(text: str) -> Decimal:
    """The Decimal that was encoded, its scale included."""
    sign, body = text[0], text[1:]
    digits, _, scale = body.replace("~", "!").partition("!")
    places = int(scale)
    if sign == "0":
        return Decimal((0, (0,), -places))
    if sign == "-":
        digits = digits.translate(_NINES)
    exponent = int(digits[:4]) - _BIAS
    significant = digits[4:].ljust(exponent + places, "0")
    return Decimal(f"{'-' if sign == '-' else ''}{significant}E-{places}")


def plain(value: Decimal) -> Decimal:
    """The same number with no exponent above 0: `1E+5` as `100000`."""
    if value.adjusted() < 1:  # as most are, and cheaper to see
        return value
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent <= 0:
        return value
    return Decimal((sign, (*digits, *(0,) * exponent), 0))


def key(value: Decimal) -> str:
    """The text without the scale: what all Decimals of this value begin with.

    All of them are >= it, and < it with `:` appended, which sorts after every digit.
    """
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return "0!"
    assert isinstance(exponent, int), "finite"  # noqa: S101
    body = f"{len(text) + exponent + _BIAS:04d}{text.rstrip('0')}"
    return f"-{body.translate(_NINES)}~" if sign else f"1{body}!"
