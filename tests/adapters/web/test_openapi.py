"""What the OpenAPI document says, asked by schemathesis: with a token, and without one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from framework_m import FrameworkM, User
from tests.support.callers import ADMIN
from tests.support.document_fixtures import prepared
from tests.support.paper_fixtures import application
from tests.support.papers import Hidden, Paper, Shelf

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
    limits = {"sign_in_limit": 0, "enqueue_limit": 0, "longest_wait": 0}
    app = application(f"sqlite:///{tmp_path / 'api.db'}", **limits)
    admin, nobody = asyncio.run(_filled(app))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app.asgi, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Api(f"http://127.0.0.1:{listener.getsockname()[1]}", admin, nobody)
        finally:
            server.should_exit = True
            thread.join()


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
