"""The page on metrics: served and scraped as shown."""

import re
import socket
import sys
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.test_docs import ROOT, blocks, run, write_files

PAGE = ROOT / "docs" / "metrics.md"
SCRAPE = """
import sys, time, httpx
url, token = sys.argv[1:]
client = httpx.Client(transport=httpx.HTTPTransport(retries=6))
headers = {"Authorization": "Bearer " + open(token).read().strip()}
deadline = time.monotonic() + 20
answer = client.get(url, headers=headers)
while "_timestamp_seconds{" not in answer.text and time.monotonic() < deadline:
    answer = client.get(url, headers=headers)  # schedules are declared just after it has begun
print(f"--- {answer.status_code}\\n{answer.text}")
"""


def scraped(folder: Path, configuration: dict[str, Any]) -> str:
    """What a Prometheus that is set up so would read from the server of the page."""
    [scrape] = configuration["scrape_configs"]
    [[target]] = [static["targets"] for static in scrape["static_configs"]]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    [shell] = blocks(PAGE, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    url = f"http://{target}{scrape['metrics_path']}".replace("8000", port)
    (folder / "scrape.py").write_text(SCRAPE)
    program = f"{sys.executable} scrape.py {url} {scrape['authorization']['credentials_file']}"
    started = f"trap 'kill $!' EXIT\n{commands.replace('8000', port)}\n{program}"
    shown = run(["sh", "-ec", started], folder)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    status, _, text = shown.stdout.partition("--- ")[2].partition("\n")
    assert status == "200", text
    return text


def test_the_page_on_metrics_is_scraped_as_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    configuration, alerts = (yaml.safe_load(text) for text in blocks(PAGE, "yaml"))
    families = list(text_string_to_metric_families(scraped(tmp_path, configuration)))
    samples = {(s.name, *sorted(s.labels.values())): s.value for f in families for s in f.samples}
    assert samples["framework_m_jobs", "mail", "waiting"] == 1
    assert ("framework_m_schedule_next_run_timestamp_seconds", "send_report") in samples

    told = {f"{f.name}_total" if f.type == "counter" else f.name for f in families}
    assert set(re.findall(r"^\| `(framework_m_\w+)`", PAGE.read_text(), re.MULTILINE)) == told
    rules = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    assert set(re.findall(r"framework_m_\w+", " ".join(rules))) < told
