"""UrlPolicy: where requests may go. A URL is judged when it is saved and at every attempt, an
address whenever it is about to be dialled."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import quote

from framework_m.core.errors import ConfigurationError, EgressRefusedError
from framework_m.core.webhooks.addresses import Address, Hazard, Reach, forms, hazards
from framework_m.core.webhooks.hosts import HostError, host_of

LONGEST_URL = 4096
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")
_STAYS = "/%:@!$&'()*+,;=~-._?[]"
"""What a path and a query may hold as it is; all else is percent-encoded."""

_Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, read once: nobody after this has to parse it in his own way."""

    url: str
    """Without fragment, in ASCII, with the host as below: what is to be requested."""
    scheme: str
    host: str
    """A name, or an address without brackets."""
    port: int
    address: Address | None
    """Where the host is one."""


class UrlPolicy:
    """Judges URLs and addresses.

    Without settings: https alone, to addresses of the public internet.

    allow: CIDRs, host names, `*.suffix` (which is not the suffix itself). An address in an allowed
    network is reached whatever it is; an allowed name may lead into private networks, but to
    link-local, multicast or reserved addresses only with their CIDR. A metadata service is opened
    by an entry for its one address and by nothing else.
    deny: the same forms. Wins over everything.
    only_allowed: nothing is reached but what `allow` has.
    allow_http: http, too. allow_private: loopback, private, CGNAT and unique local addresses.

    A NAT64 gateway with a prefix of its own embeds addresses where nobody else can see them: its
    prefix belongs into `deny`.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        *,
        only_allowed: bool = False,
        allow_http: bool = False,
        allow_private: bool = False,
    ) -> None:
        self._allowed = _Entries(allow)
        self._denied = _Entries(deny)
        self._only_allowed = only_allowed
        self._allow_http = allow_http
        self._allow_private = allow_private

    def check(self, url: str) -> Target:
        """Read the URL as a record has it. Raises EgressRefusedError, which says what is wrong.

        Of a name, only the name is judged: what it leads to is known when it is dialled.
        """
        target = _read(url)
        if target.scheme == "http" and not self._allow_http:
            raise _refused("its scheme is http, and only https is allowed")
        if target.address is not None:
            self.check_address(target.address)
        elif (reason := self._against_name(target.host)) is not None:
            raise _refused(f"{target.host} {reason}")
        return target

    def check_answers(self, host: str, addresses: Iterable[Address]) -> None:
        """All that a name leads to, before any of it is dialled. One that is bad spoils the rest.

        Raises EgressRefusedError, which names the kind of the address and not the address: whoever
        may see the error need not be told what lies inside the network.
        """
        for address in addresses:
            if (reason := self._against_address(address, host)) is not None:
                raise _refused(f"{host} leads to an address that {reason}")

    def check_address(self, address: Address, host: str | None = None) -> None:
        """One address that is about to be dialled; host: the name that led to it, if one did."""
        if (reason := self._against_address(address, host)) is not None:
            where = str(address) if host is None else f"{host} leads to an address that"
            raise _refused(f"{where} {reason}")

    def _against_name(self, host: str) -> str | None:
        if self._denied.has_name(host):
            return "is denied"
        if self._allowed.has_name(host):
            return None
        if self._only_allowed and not self._allowed.networks:
            return "is not allowed"
        local = host == "localhost" or host.endswith(".localhost")
        if local and not self._allow_private and not self._allowed.networks:
            return "is this machine"
        return None

    def _against_address(self, address: Address, host: str | None) -> str | None:
        if self._denied.has_any(forms(address)):
            return "is denied"
        named = host is not None and self._allowed.has_name(host)
        if self._only_allowed and not named and not self._allowed.has_any(forms(address)):
            return "is not allowed"
        for hazard in hazards(address):
            if not self._is_opened(hazard, address, named):
                return f"is {hazard.kind}"
        return None

    def _is_opened(self, hazard: Hazard, address: Address, named: bool) -> bool:
        if hazard.reach is Reach.METADATA:
            return self._allowed.has_exactly(hazard.address)
        if hazard.reach is Reach.PRIVATE and (self._allow_private or named):
            return True
        return self._allowed.has_any((hazard.address, *forms(address)[:1]))


class _Entries:
    """A list of CIDRs, names and suffixes."""

    def __init__(self, entries: Iterable[str]) -> None:
        self.networks: list[_Network] = []
        self._names: set[str] = set()
        self._suffixes: list[str] = []
        for entry in entries:
            self._add(entry.strip())

    def _add(self, entry: str) -> None:
        try:
            self.networks.append(ip_network(entry))
        except ValueError:
            suffix = entry.removeprefix("*.")
            try:
                name = host_of(suffix)
                if not isinstance(name, str):
                    raise HostError("is an address in the place of a name")
            except HostError as error:
                raise ConfigurationError(
                    f"{entry!r} is no CIDR, host name or *.suffix: it {error}"
                ) from None
            if suffix == entry:
                self._names.add(name)
            else:
                self._suffixes.append(f".{name}")

    def has_name(self, host: str) -> bool:
        return host in self._names or any(host.endswith(suffix) for suffix in self._suffixes)

    def has_any(self, addresses: Iterable[Address]) -> bool:
        return any(address in network for address in addresses for network in self.networks)

    def has_exactly(self, address: Address) -> bool:
        return any(n.num_addresses == 1 and address in n for n in self.networks)


def _read(url: str) -> Target:
    if len(url) > LONGEST_URL:
        raise _refused(f"it is longer than {LONGEST_URL} characters")
    if _has_control_or_space(url):
        raise _refused("it has a control character or white space in it")
    if "\\" in url:
        raise _refused("it has a backslash in it")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise _refused("it does not begin with https://")
    rest = rest.partition("#")[0]
    end = next((place for place, char in enumerate(rest) if char in "/?"), len(rest))
    authority, path = rest[:end], rest[end:]
    if "@" in authority:
        raise _refused("it has a user or a password in it")
    host_text, port = _host_and_port(authority, _DEFAULT_PORTS[scheme])
    try:
        host = host_of(host_text)
    except HostError as error:
        raise _refused(f"its host {error}") from None
    netloc = f"[{host.compressed}]" if isinstance(host, IPv6Address) else str(host)
    if port != _DEFAULT_PORTS[scheme]:
        netloc += f":{port}"
    path = quote(path if path.startswith("/") else f"/{path}", safe=_STAYS)
    address = None if isinstance(host, str) else host
    return Target(f"{scheme}://{netloc}{path}", scheme, str(host), port, address)


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    bracket = authority.rfind("]")
    host, colon, port = authority[bracket + 1 :].partition(":")
    host = authority[: bracket + 1] + host
    if not colon:
        return host, default
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise _refused("its port is no number from 1 to 65535")
    return host, int(port)


def _has_control_or_space(url: str) -> bool:
    if url.isascii():
        return _CONTROL_OR_SPACE.search(url) is not None
    return any(unicodedata.category(char)[0] in "CZ" for char in url)


def _refused(reason: str) -> EgressRefusedError:
    return EgressRefusedError(f"the URL is refused: {reason}")
