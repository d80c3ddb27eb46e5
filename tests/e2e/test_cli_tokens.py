"""m token:create, token:list and token:revoke, called as a user calls them."""

import json
from pathlib import Path

import jwt
import pytest

from framework_m.adapters.access.jwt_tokens import SharedKeys
from tests.support.command import Done, Run, application

SECRET_KEY = "only for tests, but long"


@pytest.fixture
def m(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    url = f"sqlite:///{tmp_path / 'tokens.db'}"
    return application(capfd, {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY})


def refused(shown: Done, status: int) -> str:
    assert shown.returncode == status, shown.stdout + shown.stderr
    [line] = shown.stderr.splitlines()
    return line.removeprefix("m: ")


def test_a_signed_token_needs_no_database(m: Run) -> None:
    command = ("token:create", "--user", "ada", "--role", "Clerk", "--role", "Reader")
    shown = m(*command, "--expires", "30m")
    key = SharedKeys([SECRET_KEY]).signing
    claims = jwt.decode(shown.stdout.strip(), key, algorithms=["HS256"])
    assert (claims["sub"], claims["roles"]) == ("ada", ["Clerk", "Reader"])
    assert claims["exp"] - claims["iat"] == 30 * 60


def test_a_key_is_created_listed_and_revoked(m: Run) -> None:
    assert m("migrate").returncode == 0
    command = ("token:create", "--user", "ada", "--role", "Clerk", "--api-key", "--note", "export")
    made = json.loads(m(*command, "--expires", "90d", "--json").stdout)
    listed = m("token:list")
    assert made["name"] in listed.stdout
    assert made["token"] not in listed.stdout
    [key] = json.loads(m("token:list", "--json").stdout)
    assert (key["user_id"], key["roles"], key["note"]) == ("ada", ["Clerk"], "export")
    revoked = m("token:revoke", made["name"], "--json").stdout
    assert json.loads(revoked) == {"name": made["name"], "revoked": True}
    assert " revoked " in m("token:list").stdout
    assert refused(m("token:revoke", "nothing"), 1) == "there is no key nothing"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--user", "ada", "--expires", "soon"), "write it as 30m, 12h or 90d"),
        (("--user", "ada", "--expires", "0d"), "write it as 30m, 12h or 90d"),
        (("--user", " "), "--user: must be a printable text"),
        (("--user", "ada", "--role", "a\nb"), "--role: must be a printable text"),
        ((), "--user"),
    ],
)
def test_wrong_usage_is_one_line(m: Run, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in refused(m("token:create", *arguments), 2)


def test_without_a_secret_key_only_stored_keys_are_made(m: Run) -> None:
    line = refused(m("token:create", "--user", "ada", SECRET_KEY="x" * 3), 2)
    assert "SECRET_KEY" in line
    elsewhere = {"FRAMEWORK_M_JWKS_URL": "https://id.example/keys"}
    line = refused(m("token:create", "--user", "ada", **elsewhere), 2)
    assert "make an API key instead" in line


@pytest.mark.parametrize("url", ["http://id.example/keys", "ftp://id.example", "nonsense"])
def test_keys_are_fetched_over_https_only(m: Run, url: str) -> None:
    assert "FRAMEWORK_M_JWKS_URL" in refused(m("token:list", FRAMEWORK_M_JWKS_URL=url), 2)


def test_development_is_on_the_own_machine(m: Run) -> None:
    assert "m dev is for the machine it runs on" in refused(m("dev", "--host", "0.0.0.0"), 2)
