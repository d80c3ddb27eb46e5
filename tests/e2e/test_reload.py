"""--reload: what a change of the code leads to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.pids import descendants, gone
from tests.support.processes import M
from tests.support.terminal import Terminal, terminal

APP = """
from framework_m import FrameworkM, job

@job
async def {name}() -> None: ...

app = FrameworkM(["shop"])
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    code = tmp_path / "shop.py"
    code.write_text(APP.format(name="first"))
    return code


@pytest.fixture
async def shell(shop: Path) -> AsyncIterator[Terminal]:
    environment = {"FRAMEWORK_M_APP": "shop:app", "PYTHONDONTWRITEBYTECODE": "1"}
    command = (*M, "worker", "--reload")
    with terminal(*command, environment=environment, folder=shop.parent) as shell:
        await shell.shows("1 found in shop: first")
        yield shell


async def test_it_begins_anew_and_survives_what_does_not_parse(shell: Terminal, shop: Path) -> None:
    for n in range(5):  # as an editor or a change of branches does
        shop.write_text(APP.format(name=f"change_{n}"))
    (shop.parent / "notes.txt").write_text("no code")
    await shell.shows("1 found in shop: change_4")
    assert shell.shown.count("changed: shop.py; starting again") == 1

    shop.write_text("def (:\n")
    await shell.shows("SyntaxError")
    await shell.shows("it ended with status 2; the next change starts it again")
    assert "Traceback" not in shell.shown
    shop.write_text(APP.format(name="mended"))
    await shell.shows("1 found in shop: mended")
    assert shell.shown.count("Framework M ") == 3

    shell.press_ctrl_c()
    children = descendants(shell.process.pid)
    assert await shell.ended() == 0
    await gone(*children)


async def test_killed_it_leaves_nothing_behind(shell: Terminal) -> None:
    children = descendants(shell.process.pid)
    assert children
    shell.process.kill()
    await gone(*children)
