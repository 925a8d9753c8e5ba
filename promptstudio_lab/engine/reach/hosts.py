"""Which hosts a flow may reach: those that the user's own settings name, at addresses that fit.

A name of the open internet that leads into the machine or its network is refused, unless the user
named that very host.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from promptstudio_lab import settings
from promptstudio_lab.errors import NodeFailed, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Address = IPv4Address | IPv6Address

PORTS: Mapping[str, int] = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes.

    Attributes:
        scheme: `http` or `https`.
        host: in lower case, IPv6 without brackets.
        port: always a number.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Return it as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


async def address_of(origin: Origin) -> str:
    """Return the address to connect to, and to no other, for a host that the user allows.

    Raises:
        NodeFailed: if the host is not allowed, has no address, or one that it may not have.
        SettingsError: if `hosts` of the user's settings is no list of names.
    """
    entry = _entry(origin)
    if entry is None:
        message = (
            f"{origin.host} is no host that you allow; to allow it, add "
            f'"{_named(origin)}" to `hosts` in {settings.configuration_directory()}/settings.toml'
        )
        raise NodeFailed(message)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        message = f"{origin.host} has no address"
        raise NodeFailed(message) from None
    addresses = [str(place[4][0]) for place in found]
    for text in addresses:
        if reason := _refusal(ip_address(text.partition("%")[0]), origin.host, entry):
            message = f"{origin.host} leads to {text}, {reason}"
            raise NodeFailed(message)
    return addresses[0]


def _named(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if PORTS[origin.scheme] == origin.port else f"{host}:{origin.port}"


def _entry(origin: Origin) -> str | None:
    """Return the entry of the user's own list that allows an origin."""
    listed = settings.personal("hosts") or []
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        message = '`hosts` in your settings.toml is no list of names, as ["api.example.com"]'
        raise SettingsError(message)
    wanted = _named(origin)
    for one in map(str.lower, listed):
        # Numbers end in no domain: an address is allowed as it is, or not at all.
        within = one.startswith("*.") and wanted.endswith(one[1:]) and not _is_literal(origin.host)
        if one == wanted or within:
            return one
    return None


def _refusal(address: Address, host: str, entry: str) -> str | None:
    """Return why a host may not lead to an address, or None if it may."""
    address = _inner(address)
    if host == "localhost" or _is_literal(host):
        return None
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return "this machine or what serves it; only the address itself can be allowed"
    if address.is_multicast:
        return "which is no single host"
    if not address.is_global and entry.startswith("*."):
        return "a private network; allow the host by its whole name"
    return None


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
