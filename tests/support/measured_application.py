"""Runs three jobs under taskiq's Prometheus middleware, and prints what it then serves."""

import asyncio
import socket
import sys
import urllib.request
from pathlib import Path

from taskiq import PrometheusMiddleware

from framework_m import FrameworkM
from tests.support.harness import until


async def main(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    app = FrameworkM()
    app.broker.add_middlewares(PrometheusMiddleware(folder / "metrics", port, "127.0.0.1"))

    @app.broker.task("works")
    async def works() -> None: ...

    @app.broker.task("fails")
    def fails() -> None:
        raise ValueError("no luck")

    await app.migrate()
    async with app, app.worker():
        for function in (works, fails, works):
            await (await function.kiq()).wait_result(check_interval=0.01, timeout=20)

        def served() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return str(answer.read().decode())

        async def all_saved() -> str | None:
            text = await asyncio.to_thread(served)
            saved = ('{task_name="works"} 2.0', '{task_name="fails"} 1.0')
            return text if all(f"saved_results_total{it}" in text for it in saved) else None

        sys.stdout.write(await until(all_saved))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
