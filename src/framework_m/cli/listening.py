"""The sockets that commands listen on."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from framework_m.cli.console import CommandFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Raises CommandFailedError, as where somebody else has that port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise CommandFailedError(f"cannot listen on {host}:{port}: {error}") from error
    with listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
