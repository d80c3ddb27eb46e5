"""The pytest plugin: fixtures `framework_m_app` and `kit`, marker `framework_m`.

    pytest_plugins = ["framework_m.testing.plugin"]

Asked for, not there by itself: pytest rewrites every module of a package that brings a plugin
along, which would cost each test run a second, whether it uses this or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

try:
    import pytest_asyncio
except ImportError:  # anyio's plugin runs plain ones
    _async_fixture: Any = pytest.fixture
else:
    _async_fixture = pytest_asyncio.fixture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from framework_m.app import FrameworkM
    from framework_m.testing.kit import Kit


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "framework_m(inline=False, **settings): how the fixture `kit` opens the application: "
        "with jobs that run by themselves, with other settings.",
    )


@pytest.fixture
def framework_m_app() -> FrameworkM:
    """The application under test: the one that the command `m` would load. Override it."""
    from framework_m.cli.loading import load  # noqa: PLC0415 - only where it is asked for

    return load(None)


@_async_fixture  # type: ignore[untyped-decorator]  # it is one of two
async def kit(request: pytest.FixtureRequest, framework_m_app: FrameworkM) -> AsyncIterator[Kit]:
    """The application, open on a database of this test's own: see framework_m.testing."""
    from framework_m.testing.kit import Kit  # noqa: PLC0415 - as above

    marker = request.node.get_closest_marker("framework_m")
    if marker is not None and marker.args:
        raise pytest.UsageError("the marker framework_m takes its options by name: inline=True")
    options: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    async with Kit(framework_m_app, **options) as opened:
        yield opened
