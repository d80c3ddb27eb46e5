"""How the host of a URL is read: as one name or one address, or not at all.

Whatever two programs could read in two ways is refused, also where both readings are harmless.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from framework_m.core.webhooks.addresses import Address

LONGEST_NAME = 253
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PLAIN_IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")


class HostError(ValueError):
    """It is no host that a request may name; the message completes "the host …"."""


def host_of(text: str) -> str | Address:
    """A name in small ASCII letters without the dot at its end, or an address.

    `text`: as between the slashes of a URL, without the port, with the brackets of IPv6.
    """
    if text.startswith("["):
        return _ipv6(text)
    if not text:
        raise HostError("is missing")
    if "%" in text:
        raise HostError("is percent-encoded, or has a zone")
    name = ascii_name(text)
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name, text)
    return name


def ascii_name(text: str) -> str:
    """The name as the DNS has it. Raises HostError."""
    if len(text) > LONGEST_NAME + 1:
        raise HostError("is longer than a name can be")
    name = text.lower() if text.isascii() else _from_unicode(text)
    name = name.removesuffix(".")
    if len(name) > LONGEST_NAME:
        raise HostError("is longer than a name can be")
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise HostError("is neither a name nor an address")
    return name


def _from_unicode(text: str) -> str:
    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise HostError("is no internationalised name") from None


def _ipv6(text: str) -> IPv6Address:
    inside = text[1:-1]
    if not text.endswith("]") or not text.isascii():
        raise HostError("is no IPv6 address")
    if "%" in inside:
        raise HostError("has a zone, which only one machine knows")
    try:
        return IPv6Address(inside)
    except AddressValueError:
        raise HostError("is no IPv6 address") from None


def _ipv4(name: str, text: str) -> IPv4Address:
    if _PLAIN_IPV4.fullmatch(text):
        try:
            return IPv4Address(text)
        except AddressValueError:
            raise HostError("is no IPv4 address") from None
    meant = as_the_c_library_reads_it(name)
    if meant is None:
        raise HostError("is neither a name nor an address")
    raise HostError(f"is a disguise of the address {meant}: write it as that")


def as_the_c_library_reads_it(name: str) -> IPv4Address | None:
    """`inet_aton`: one to four numbers, decimal, octal or hexadecimal; the last takes the rest."""
    parts = name.split(".")
    if len(parts) > 4:
        return None
    values = [_number(part) for part in parts]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(parts):
        return None
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(parts)):
        return None
    value = last
    for position, number in enumerate(first):
        value += number << (8 * (3 - position))
    return IPv4Address(value)


def _number(part: str) -> int | None:
    if len(part) > 40:  # long strings of zeros are numbers, too
        return None
    try:
        if part.startswith("0x"):
            return int(part[2:] or "0", 16)
        return int(part, 8 if part.startswith("0") else 10)
    except ValueError:
        return None
