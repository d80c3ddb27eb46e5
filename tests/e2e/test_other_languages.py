"""A program in another language reads our events as CloudEvents: Node, with npm's NATS client."""

import asyncio
import json
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from framework_m import DocUpdated, acting_as
from tests.support.events import Paid
from tests.support.harness import Harness
from tests.support.node import node_program

PACKAGES = ("@nats-io/transport-node@3", "@nats-io/jetstream@3")


@pytest.fixture(scope="session")
def node() -> Path:
    """The program that reads, with its client. Skipped where there is no Node."""
    return node_program("read_cloud_events.mjs", *PACKAGES)


async def test_node_reads_our_events_as_cloudevents(nats_sqlite: Harness, node: Path) -> None:
    settings = nats_sqlite.settings()
    prefix = settings.nats_prefix
    assert settings.nats_url is not None
    url = settings.nats_url.get_secret_value()
    await nats_sqlite.app.wait_until_ready()
    with acting_as('Ünal "the" 100% reader'):
        updated = DocUpdated(doctype="Note", doc_id="a b/ü", changed=("text",))
        await nats_sqlite.app.events.bus.publish("doc.updated", updated)
        paid = Paid(amount=Decimal("10.50"), source="/shop?x=1 2", data={"text": "\U0001f600\x00"})
        await nats_sqlite.app.events.bus.publish("invoice.paid", paid)
    read = await asyncio.to_thread(
        subprocess.run,
        ["node", str(node), url, f"{prefix}_events", f"{prefix}.events.>", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert read.returncode == 0, read.stderr
    first, second = (json.loads(line) for line in read.stdout.splitlines())
    assert first == {
        "topic": f"{prefix}.events.doc.updated",
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "id": updated.id,
        "type": "doc.updated",
        "source": "framework_m",
        "subject": "Note/a b/ü",
        "time": updated.timestamp.isoformat().replace("+00:00", "Z"),
        "userid": 'Ünal "the" 100% reader',
        "doctype": "Note",
        "docid": "a b/ü",
        "data": {"changed": ["text"]},
    }
    assert (second["type"], second["source"]) == ("invoice.paid", "/shop?x=1 2")
    assert second["data"] == {"amount": "10.50", "text": "\U0001f600\x00"}
