"""An egress that may reach this machine."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from framework_m.adapters.webhooks.egress import Egress
from framework_m.adapters.webhooks.exchange import EgressLimits
from framework_m.core.webhooks.url_policy import UrlPolicy

LOCAL = UrlPolicy(allow_http=True, allow_private=True)

EgressFactory = Callable[..., Egress]


@pytest.fixture
async def egress_with() -> AsyncIterator[EgressFactory]:
    """Makes one with these limits and options; closed after the test."""
    made: list[Egress] = []

    def make(limits: EgressLimits | None = None, **options: Any) -> Egress:
        made.append(Egress(LOCAL, limits=limits, **options))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
async def egress(egress_with: EgressFactory) -> Egress:
    return egress_with()
