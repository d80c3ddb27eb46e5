"""What kind of address it is, when it is not one of the public internet.

The other way round for IPv6: what is not known to be public is reserved. `ipaddress.is_global` and
its kin are not asked: they pass multicast, IPv4 in several of its disguises, and site-local.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address


class Reach(Enum):
    """What opens an address that is closed."""

    PRIVATE = "private"
    """Networks of one's own: opened as a whole, by the name that leads there, or by a CIDR."""
    SPECIAL = "special"
    """Nothing that a webhook is for: opened by a CIDR that contains it."""
    METADATA = "metadata"
    """Gives credentials to whoever asks: opened by an entry for that very address."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """Why an address is closed; `address` is the one inside, where one is embedded in another."""

    address: Address
    kind: str
    reach: Reach


_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, Hetzner, OpenStack and most others
        "169.254.170.2",  # AWS: credentials of containers
        "169.254.170.23",  # AWS: of pods
        "169.254.42.42",  # Scaleway
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure's host, at a public address
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
    )
)

_IPV4 = tuple(
    (IPv4Network(network), kind, reach)
    for network, kind, reach in (
        ("0.0.0.0/8", "unspecified", Reach.SPECIAL),  # Linux connects 0.0.0.0 to itself
        ("10.0.0.0/8", "private", Reach.PRIVATE),
        ("100.64.0.0/10", "shared behind a carrier's NAT", Reach.PRIVATE),
        ("127.0.0.0/8", "loopback", Reach.PRIVATE),
        ("169.254.0.0/16", "link-local", Reach.SPECIAL),
        ("172.16.0.0/12", "private", Reach.PRIVATE),
        ("192.0.0.0/24", "reserved for protocols", Reach.SPECIAL),
        ("192.0.2.0/24", "for documentation", Reach.SPECIAL),
        ("192.88.99.0/24", "a 6to4 relay", Reach.SPECIAL),
        ("192.168.0.0/16", "private", Reach.PRIVATE),
        ("198.18.0.0/15", "for benchmarks", Reach.SPECIAL),
        ("198.51.100.0/24", "for documentation", Reach.SPECIAL),
        ("203.0.113.0/24", "for documentation", Reach.SPECIAL),
        ("224.0.0.0/4", "multicast", Reach.SPECIAL),
        ("255.255.255.255/32", "broadcast", Reach.SPECIAL),
        ("240.0.0.0/4", "reserved", Reach.SPECIAL),
    )
)

_IPV6 = tuple(
    (IPv6Network(network), kind, reach)
    for network, kind, reach in (
        ("::/128", "unspecified", Reach.SPECIAL),
        ("::1/128", "loopback", Reach.PRIVATE),
        ("100::/64", "discarded", Reach.SPECIAL),
        ("2001::/23", "reserved for protocols", Reach.SPECIAL),
        ("2001:db8::/32", "for documentation", Reach.SPECIAL),
        ("3fff::/20", "for documentation", Reach.SPECIAL),
        ("fc00::/7", "unique local", Reach.PRIVATE),
        ("fe80::/10", "link-local", Reach.SPECIAL),
        ("fec0::/10", "site-local", Reach.SPECIAL),
        ("ff00::/8", "multicast", Reach.SPECIAL),
        # An embedded address that is good makes none of these good: nobody routes the first two,
        # and what the third embeds, and where, is its own network's business (RFC 8215).
        ("::/96", "reserved", Reach.SPECIAL),
        ("::ffff:0:0:0/96", "reserved", Reach.SPECIAL),
        ("64:ff9b:1::/48", "for one network's own translation", Reach.SPECIAL),
    )
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")

_LAST_BITS = tuple(
    IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local
    )
)
_MEANS_WHAT_IT_EMBEDS = tuple(
    IPv6Network(n) for n in ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32")
)
_THEMSELVES = (IPv6Address("::"), IPv6Address("::1"))


def embedded(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for, or leads through."""
    if isinstance(address, IPv4Address) or address in _THEMSELVES:
        return ()
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:  # its server, and its client
        return address.teredo
    # ISATAP, in whatever network: ::0:5efe:a.b.c.d and ::200:5efe:a.b.c.d
    isatap = (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE
    if isatap or any(address in network for network in _LAST_BITS):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def forms(address: Address) -> tuple[Address, ...]:
    """The address without its zone, and all that are embedded in it."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        address = IPv6Address(int(address))
    return (address, *embedded(address))


def hazards(address: Address) -> tuple[Hazard, ...]:
    """What is to be said against an address; nothing, if it is one of the public internet."""
    found = (_hazard(form) for form in forms(address))
    return tuple(hazard for hazard in found if hazard is not None)


def _hazard(address: Address) -> Hazard | None:
    if address in _METADATA:
        return Hazard(address, "a metadata service's", Reach.METADATA)
    if isinstance(address, IPv4Address):
        for network, kind, reach in _IPV4:
            if address in network:
                return Hazard(address, kind, reach)
        return None
    if any(address in network for network in _MEANS_WHAT_IT_EMBEDS):
        return None
    for network_6, kind, reach in _IPV6:
        if address in network_6:
            return Hazard(address, kind, reach)
    return None if address in _PUBLIC_IPV6 else Hazard(address, "reserved", Reach.SPECIAL)
