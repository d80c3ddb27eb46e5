"""Settings: read from the environment, wrong ones refused by name."""

import pytest
from pydantic import ValidationError

from framework_m import Settings
from framework_m.settings import Backend


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


def test_the_default_is_one_sqlite_file() -> None:
    settings = Settings()
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///framework_m.db"
    assert settings.effective_backend is Backend.DATABASE


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p@h/db", "postgresql+asyncpg://u:p@h/db"),
        ("postgresql://h/db", "postgresql+asyncpg://h/db"),
        ("sqlite:////srv/app.db", "sqlite+aiosqlite:////srv/app.db"),
    ],
)
def test_the_driver_may_be_left_out(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    monkeypatch.setenv("DATABASE_URL", given)
    assert Settings().database_url.get_secret_value() == used


@pytest.mark.parametrize("url", ["mysql://h/db", "app.db", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ValidationError, match="DATABASE_URL"):
        Settings()


def test_values_in_code_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWORK_M_LEASE", "20")
    assert Settings().lease == 20
    assert Settings(lease=30).lease == 30


def test_a_password_does_not_show() -> None:
    settings = Settings(database_url="postgresql://u:hunter2@h/db")  # type: ignore[arg-type]
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError) as refused:
        Settings(database_url="mysql://u:hunter2@h/db")  # type: ignore[arg-type]
    assert "hunter2" not in str(refused.value)


def test_a_schema_needs_postgresql() -> None:
    with pytest.raises(ValidationError, match="for PostgreSQL only"):
        Settings(database_schema="x")
