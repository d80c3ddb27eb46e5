"""The Litestar application: `uvicorn bookshop.app:app`."""

import contextlib
from collections.abc import AsyncIterator

from litestar import Litestar
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from bookshop.background import background
from bookshop.models import Base
from bookshop.orders import list_orders, place_order
from framework_m import FrameworkM, FrameworkMPlugin


def create_app(engine: AsyncEngine, background: FrameworkM = background) -> Litestar:
    """The shop on this engine's database, with its background work at /background."""

    async def provide_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session, session.begin():
            yield session

    @contextlib.asynccontextmanager
    async def prepared(_: Litestar) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        await background.migrate()
        yield
        await engine.dispose()

    return Litestar(
        route_handlers=[place_order, list_orders],
        dependencies={"session": Provide(provide_session)},
        lifespan=[prepared],
        logging_config=None,
        plugins=[FrameworkMPlugin(background, prefix="/background", worker=False)],
    )


app = create_app(create_async_engine(background.settings.database_url.get_secret_value()))
