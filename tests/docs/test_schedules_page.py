"""The page on schedules, run as shown."""

from pathlib import Path

from framework_m.core.ids import is_uuid
from tests.docs.test_docs import ROOT, blocks, run, write_files


def test_the_page_on_schedules_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "schedules.md"
    _, _, plan, tested = write_files(page, tmp_path)
    [shown] = blocks(page, "console")
    commands = shown.replace("$ ", "").replace("\n", " && ").removesuffix(" && ")
    (tmp_path / "shop" / "__init__.py").touch()
    pytest = f"python -m pytest -q -p no:cacheprovider -c /dev/null -o asyncio_mode=auto {tested}"
    told = run(["sh", "-ec", f"{commands} && python {plan} && {pytest}"], tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    lines = told.stdout.splitlines()
    assert "every weekday at 09:00, Europe/Berlin" in told.stdout
    assert any(line and is_uuid(line.split()[-1]) for line in lines), "the run of nightly"
    said = lines.index("every Monday at 07:00, Europe/Berlin")
    assert lines[said + 1 : said + 3] == ["every 90 seconds, UTC", "the report of every month"]
    assert lines[said + 3].endswith("UTC is 07:00 in Berlin")
    assert "1 passed" in told.stdout
