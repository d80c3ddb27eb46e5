"""A program in another language reads our events as CloudEvents: Node, with npm's NATS client."""

import asyncio
import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from framework_m import DocUpdated, acting_as
from tests.support.events import Paid
from tests.support.harness import Harness

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "read_cloud_events.mjs"
CACHE = ROOT / ".node-peers"
PACKAGES = ("@nats-io/transport-node@3", "@nats-io/jetstream@3")


@pytest.fixture(scope="session")
def node() -> Path:
    """A folder with the client, installed once per checkout. Skipped where there is no Node.

    Also in CI: of a machine no more than Python and make is asked.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed")
    if not (CACHE / "node_modules" / "@nats-io" / "jetstream").is_dir():
        CACHE.mkdir(exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), *PACKAGES]
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            _refuse(f"npm could not install the client: {done.stderr[-500:]}")
    shutil.copy(PROGRAM, CACHE / PROGRAM.name)  # Node looks for packages beside the program
    return CACHE / PROGRAM.name


def _refuse(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"CI is set, and {reason}", pytrace=False)
    pytest.skip(reason)


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
