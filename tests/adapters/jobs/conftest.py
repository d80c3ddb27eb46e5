"""The backends, for suites that run on all of them."""

import pytest

from tests.support.harness import Harness

BACKENDS = ["memory", "sqlite", "postgresql", "nats_sqlite", "nats_postgresql"]


@pytest.fixture(params=BACKENDS)
def every_backend(request: pytest.FixtureRequest) -> Harness:
    """A harness on each of them in turn."""
    found: Harness = request.getfixturevalue(request.param)
    return found
