"""Who may come in over HTTP: tokens, sessions, and pages of other sites."""

import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from framework_m import FrameworkM, User
from tests.support.callers import ADMIN, CLERK, bearer, calling
from tests.support.paper_fixtures import application

OPEN = ("/health/live", "/health/ready", "/schema", "/schema/openapi.json")


@pytest.fixture
def app(sqlite_papers: FrameworkM) -> FrameworkM:
    return sqlite_papers


@pytest.fixture
async def client(app: FrameworkM) -> AsyncIterator[httpx.AsyncClient]:
    """Without a token."""
    async with calling(app, None) as client:
        yield client


def routes(app: FrameworkM) -> Iterable[tuple[str, str]]:
    """Every route there is, but those of the OpenAPI document."""
    for route in app.asgi.routes:
        path = route.path.replace("{job_id:str}", "0").replace("{name:str}", "x")
        if not path.startswith("/schema"):
            yield from ((str(method), path) for method in route.methods)


async def test_every_route_but_health_and_schema_wants_a_token(
    app: FrameworkM, client: httpx.AsyncClient
) -> None:
    seen = set()
    for method, path in routes(app):
        if path.startswith("/health") or method == "OPTIONS":
            continue
        answer = await client.request(method, path)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
        seen.add(path)
    assert {"/api/v1/jobs", "/api/v1/session"} <= seen


async def test_health_and_schema_are_open(client: httpx.AsyncClient) -> None:
    for path in OPEN:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "fmk_0",
        "bearer fmk_0_0",
        "Bearer " + "x" * 9999,
        "Bearer a.b.c",
        "Bearer \xe4",
        "Token abc",
    ],
)
async def test_no_bad_token_says_why(
    client: httpx.AsyncClient, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    nothing = await client.get("/api/v1/jobs")
    headers = {b"authorization": header.encode("latin-1")}
    answer = await client.get("/api/v1/jobs", headers=headers)
    assert (answer.status_code, answer.json()) == (401, nothing.json())
    assert answer.headers["www-authenticate"] == nothing.headers["www-authenticate"] == "Bearer"


async def test_tokens_do_not_get_into_logs(
    app: FrameworkM, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = await app.access.keys.create(ADMIN)
    signed = app.access.issue(ADMIN, app.access._session_lifetime)
    for token in (key.text, signed, key.text + "x", signed + "x"):
        await client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"})
        assert token not in caplog.text


async def test_signed_tokens_and_keys_both_work(app: FrameworkM, client: httpx.AsyncClient) -> None:
    signed = app.access.issue(CLERK, app.access._session_lifetime)
    for headers in ({"Authorization": f"bearer {signed}"}, await bearer(app, CLERK)):
        answer = await client.get("/api/v1/session", headers=headers)
        assert answer.json()["user_id"] == "clerk"
        assert answer.json()["roles"] == ["Clerk"]


class Browser:
    """Keeps cookies, and says what browsers say of their own accord."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self.client = client
        self.base = base

    async def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body: Any = {"job_name": "add", "args": {"a": 1}} if method == "POST" else None
        return await self.client.request(method, self.base + path, headers=named, json=body)

    async def sign_in(self, app: FrameworkM, user: User) -> httpx.Response:
        answer = await self.client.post(
            f"{self.base}/api/v1/session", headers=await bearer(app, user)
        )
        assert answer.status_code == 201, answer.text
        return answer


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    return Browser(client, "https://shop.example")


async def test_a_browser_holds_a_session(app: FrameworkM, browser: Browser) -> None:
    opened = await browser.sign_in(app, CLERK)
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith("__Host-framework_m_session=fmk_")
    for attribute in ("HttpOnly", "Secure", "SameSite=strict", "Path=/", "Max-Age=43"):
        assert attribute in cookie
    assert opened.json()["user_id"] == "clerk"
    assert (await browser.ask("GET", "/api/v1/jobs")).status_code == 200
    closed = await browser.ask("DELETE", "/api/v1/session", sec_fetch_site="same-origin")
    assert closed.status_code == 204
    text = cookie.partition("=")[2].partition(";")[0]
    stolen = await browser.ask("GET", "/api/v1/jobs", cookie=f"__Host-framework_m_session={text}")
    assert stolen.status_code == 401, "closed for everybody who has it"


async def test_on_loopback_the_cookie_needs_no_https(
    app: FrameworkM, client: httpx.AsyncClient
) -> None:
    browser = Browser(client, "http://127.0.0.1:8000")
    opened = await browser.sign_in(app, CLERK)
    assert opened.headers["set-cookie"].startswith("framework_m_session=")
    assert "Secure" not in opened.headers["set-cookie"]
    assert (await browser.ask("GET", "/api/v1/session")).status_code == 200


async def test_a_session_cannot_open_another(app: FrameworkM, browser: Browser) -> None:
    await browser.sign_in(app, CLERK)
    again = await browser.ask("POST", "/api/v1/session", sec_fetch_site="same-origin")
    assert again.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "same-origin"}, 202),
        ({"origin": "https://shop.example"}, 202),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site", "origin": "https://shop.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://shop.example.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
        ({"sec_fetch_site": "same-site", "origin": "https://admin.shop.example"}, 202),
    ],
)
async def test_only_pages_of_this_origin_change_anything_with_a_cookie(
    tmp_path: Any, headers: dict[str, str], status: int
) -> None:
    settings = {"cors_origins": ("https://admin.shop.example",)}
    app = application(f"sqlite:///{tmp_path / 'csrf.db'}", **settings)
    await app.migrate()
    async with app, calling(app, None) as client:
        browser = Browser(client, "https://shop.example")
        await browser.sign_in(app, CLERK)
        assert (await browser.ask("POST", "/api/v1/jobs", **headers)).status_code == status
        assert (await browser.ask("GET", "/api/v1/jobs", **headers)).status_code == 200
        token = await bearer(app, CLERK)
        with_token = await browser.ask("POST", "/api/v1/jobs", **headers, **token)
        assert with_token.status_code == 202, "a token is sent by nobody's accord but the caller's"


async def test_pages_of_other_origins_read_nothing_unless_they_are_named(tmp_path: Any) -> None:
    origin = "https://admin.shop.example"
    for origins, allowed in (((), None), ((origin,), origin)):
        app = application(f"sqlite:///{tmp_path / 'cors.db'}", cors_origins=origins)
        await app.migrate()
        async with app, calling(app) as client:
            for method in ("GET", "OPTIONS"):
                headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
                answer = await client.request(method, "/api/v1/jobs", headers=headers)
                assert answer.headers.get("access-control-allow-origin") == allowed
            evil = await client.get("/api/v1/jobs", headers={"Origin": "https://evil.example"})
            assert evil.headers.get("access-control-allow-origin") in (None, *origins)
            assert evil.headers.get("access-control-allow-origin") != "https://evil.example"


async def test_hosts_are_the_ones_that_are_named(tmp_path: Any) -> None:
    app = application(f"sqlite:///{tmp_path / 'hosts.db'}", allowed_hosts=("*.shop.example",))
    await app.migrate()
    async with app, calling(app) as client:
        assert (await client.get("https://api.shop.example/api/v1/jobs")).status_code == 200
        assert (await client.get("https://evil.example/api/v1/jobs")).status_code == 400


async def test_signing_in_is_limited_also_with_wrong_tokens(tmp_path: Any) -> None:
    app = application(f"sqlite:///{tmp_path / 'limit.db'}", sign_in_limit=3)
    await app.migrate()
    async with app, calling(app, CLERK) as client:
        wrong = {"Authorization": "Bearer wrong"}
        assert (await client.post("/api/v1/session")).status_code == 201
        assert (await client.post("/api/v1/session", headers=wrong)).status_code == 401
        assert (await client.post("/api/v1/session", headers=wrong)).status_code == 401
        limited = await client.post("/api/v1/session")
        assert limited.status_code == 429
        assert limited.headers["content-type"] == "application/problem+json"
        assert 0 < int(limited.headers["retry-after"]) <= 60
        assert (await client.get("/api/v1/session")).status_code == 200


async def test_enqueueing_is_limited_for_each_user(tmp_path: Any) -> None:
    app = application(f"sqlite:///{tmp_path / 'limit.db'}", enqueue_limit=2)
    await app.migrate()
    body = {"job_name": "add", "args": {"a": 1}}
    async with app, calling(app, CLERK) as clerk, calling(app) as admin:
        answers = [(await clerk.post("/api/v1/jobs", json=body)).status_code for _ in range(3)]
        assert answers == [202, 202, 429]
        assert (await admin.post("/api/v1/jobs", json=body)).status_code == 202


async def test_what_does_not_check_by_itself_is_for_system_managers(app: FrameworkM) -> None:
    """A route that a later part adds, and forgets."""
    from litestar import Litestar, Router, get

    from framework_m.adapters.web.auth import AccessMiddleware, requires_full_access
    from framework_m.adapters.web.errors import handlers

    @get("/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "secret"

    router = Router(
        "/",
        route_handlers=[forgotten],
        middleware=[AccessMiddleware(app)],
        guards=[requires_full_access],
        exception_handlers=handlers(),
    )
    transport = httpx.ASGITransport(Litestar([router]))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for user, status in ((CLERK, 403), (ADMIN, 200)):
            answer = await client.get("/forgotten", headers=await bearer(app, user))
            assert answer.status_code == status
