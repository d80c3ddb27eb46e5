"""What the OpenAPI document says, asked by schemathesis: with a token, and without one."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from framework_m import FrameworkM, User
from tests.support.callers import ADMIN
from tests.support.document_fixtures import prepared
from tests.support.paper_fixtures import SECRET_KEY, application
from tests.support.papers import Hidden, Paper, Shelf
from tests.support.processes import M

ROOT = Path(__file__).parents[3]
LIMITS = ("SIGN_IN_LIMIT", "ENQUEUE_LIMIT", "LONGEST_WAIT")
EXAMPLES = 25
MARK = "nobody was told this"
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Api:
    """The application, served on a port of its own, and tokens for it."""

    url: str
    admin: str
    nobody: str

    def operations(self) -> list[Any]:
        schema = schemathesis.openapi.from_url(f"{self.url}/schema/openapi.json")
        found: list[Any] = list(schema.get_all_operations())
        return [operation.ok() for operation in found]


async def _filled(app: FrameworkM) -> tuple[str, str]:
    keys = []
    async for opened in prepared(app):
        for document in (Paper(title=MARK), Shelf(name="a", label=MARK), Hidden(text=MARK)):
            await opened.repository(type(document)).save(document)
        keys = [await opened.access.keys.create(user) for user in (ADMIN, User("nobody"))]
    return keys[0].text, keys[1].text


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """In a process of its own: hypothesis minds who else uses `random` in this one."""
    url = f"sqlite:///{tmp_path / 'api.db'}"
    admin, nobody = asyncio.run(_filled(application(url)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    unlimited = {f"FRAMEWORK_M_{name}": "0" for name in LIMITS}
    command = [*M, "web", "--app", "tests.support.paper_application:app", "--port", port]
    environment = {**os.environ, **unlimited, "DATABASE_URL": url, "SECRET_KEY": SECRET_KEY}
    with (tmp_path / "log").open("wb") as log:
        web = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        served = Api(f"http://127.0.0.1:{port}", admin, nobody)
        transport = httpx.HTTPTransport(retries=6)  # it does not listen at once
        with httpx.Client(transport=transport) as client:
            assert client.get(f"{served.url}/health/live").status_code == 200
        yield served
    finally:
        web.terminate()
        web.wait()


def ask_everything(api: Api, headers: dict[str, str], look: Any) -> None:
    for operation in api.operations():

        @bounded
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            look(case, case.call(base_url=api.url, headers=headers))

        ask()


def test_nothing_is_undocumented_and_nothing_breaks(api: Api) -> None:
    def look(case: Any, answer: Any) -> None:
        case.validate_response(answer, checks=CHECKS)

    ask_everything(api, {"Authorization": f"Bearer {api.admin}"}, look)


def test_without_a_token_nothing_but_health_is_answered(api: Api) -> None:
    def look(case: Any, answer: Any) -> None:
        case.validate_response(answer, checks=[checks.not_a_server_error])
        if not case.path.startswith("/health"):
            assert answer.status_code == 401, case.as_curl_command()
        assert MARK not in answer.text

    ask_everything(api, {}, look)


def test_a_user_without_roles_reads_nothing(api: Api) -> None:
    def look(case: Any, answer: Any) -> None:
        case.validate_response(answer, checks=CHECKS)
        assert MARK not in answer.text

    ask_everything(api, {"Authorization": f"Bearer {api.nobody}"}, look)
