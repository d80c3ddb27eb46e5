"""The page on old records, run as shown."""

from pathlib import Path

from framework_m.core.ids import is_uuid
from tests.docs.test_docs import ROOT, blocks, run, write_files

NOTHING = "{'Success': 0, 'Failed': 0, 'Cancelled': 0, 'requests': 0, 'due_times': 0}"


def test_the_page_on_old_records_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "retention.md"
    *_, prune, elsewhere = write_files(page, tmp_path)
    first, by_cron = (
        text.replace("$ ", "").replace("\n", " && ").removesuffix(" && ")
        for text in blocks(page, "console")
    )
    commands = f"{first} && python {prune} && python {elsewhere} && {by_cron}"
    shown = run(["sh", "-ec", commands], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    listed = [line.split() for line in shown.stdout.splitlines() if "prune_jobs" in line]
    assert [(line[0], line[1], line[-2:]) for line in listed] == [
        ("framework_m.prune_jobs", "default", ["built", "in"])
    ]
    assert '"requests": 0' in shown.stdout, "what the local run says"
    *said, job_id = shown.stdout.splitlines()
    assert said[-4:] == ["ValueError: 2027-01 is not over yet", "1", "None Failed", NOTHING]
    assert is_uuid(job_id)
