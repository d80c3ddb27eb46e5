"""Connecting to NATS with whatever a server asks for, and being refused without a secret told."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import nkeys
import pytest
import trustme

from framework_m.adapters.nats.connection import NatsConnection, NatsOptions
from framework_m.core.errors import NatsUnavailableError
from tests.support import servers
from tests.support.local import LocalNats

Start = Callable[..., LocalNats]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server with these options."""
    with ExitStack() as stack:

        def started(*options: str) -> LocalNats:
            try:
                server = LocalNats(*options)
            except servers.ServerMissing as missing:
                servers.refuse(missing)
            stack.callback(server.dispose)
            return server

        yield started


async def connects(options: NatsOptions) -> None:
    connection = NatsConnection(options)
    try:
        await connection.require_jetstream()
    finally:
        await connection.close()


async def test_user_and_password(start: Start) -> None:
    server = start("--user", "ada", "--pass", "hunter2")
    await connects(NatsOptions((server.url,), user="ada", password="hunter2"))
    in_url = server.url.replace("//", "//ada:hunter2@")
    await connects(NatsOptions((in_url,)))


async def test_token(start: Start) -> None:
    server = start("--auth", "s3cret")
    await connects(NatsOptions((server.url,), token="s3cret"))


async def test_nkey(start: Start, tmp_path: Path) -> None:
    seed = nkeys.encode_seed(b"0123456789abcdef0123456789abcdef", nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    config = tmp_path / "nats.conf"
    config.write_text(f"authorization {{ users = [ {{ nkey: {public} }} ] }}")
    file = tmp_path / "seed"
    file.write_bytes(seed)
    server = start("-c", str(config))
    await connects(NatsOptions((server.url,), nkey_seed_file=file))


async def test_tls_with_certificates_on_both_sides(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    for name in ("server", "client"):
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = start(
        "--tlsverify",
        *("--tlscert", str(tmp_path / "server.pem"), "--tlskey", str(tmp_path / "server.key")),
        *("--tlscacert", str(tmp_path / "ca.pem")),
    )
    url = server.url.replace("nats://", "tls://")
    trusted = NatsOptions(
        (url,),
        tls_ca_file=tmp_path / "ca.pem",
        tls_certificate_file=tmp_path / "client.pem",
        tls_key_file=tmp_path / "client.key",
    )
    await connects(trusted)
    with pytest.raises(NatsUnavailableError):
        await connects(NatsOptions((url,)))  # the authority is not a public one


async def test_one_of_several_servers_is_enough(start: Start) -> None:
    server = start()
    await connects(NatsOptions(("nats://127.0.0.1:1", server.url)))


async def test_a_refusal_tells_no_secret(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = start("--user", "ada", "--pass", "hunter2")
    url = server.url.replace("//", "//ada:wr0ng@")
    with pytest.raises(NatsUnavailableError) as refused:
        await connects(NatsOptions((url,)))
    assert "wr0ng" not in str(refused.value) + caplog.text
    assert server.url in str(refused.value)
    assert "authorization" in str(refused.value).lower()


async def test_a_server_without_jetstream_is_not_ready(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    config.write_text("accounts { A { users = [ {user: a, password: a} ] } }")  # no jetstream in A
    server = start("-c", str(config))
    with pytest.raises(NatsUnavailableError):
        await connects(NatsOptions((server.url,), user="a", password="a"))
