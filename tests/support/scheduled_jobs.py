"""Job functions that schedules enqueue, and schedules that code declares."""

from datetime import date
from decimal import Decimal

from framework_m import FrameworkM, JobContext, cron, job

ran: list[str] = []


@job(queue="reports")
async def report(ctx: JobContext, month: str, rate: Decimal = Decimal(1)) -> str:
    ran.append(f"{ctx.schedule} {month} {rate} due {ctx.due_at:%H:%M:%S}")
    return month


@job(cron="0 4 * * *", timezone="Europe/Berlin")
async def clean_up(ctx: JobContext) -> None:
    ran.append(f"clean up of {ctx.due_at:%d %H:%M}")


@job
async def bill(day: date) -> None:
    ran.append(f"bill {day.isoformat()}")


cron_jobs = [cron(report, hour=9, minute=0, name="nine", args={"month": "November"})]

app = FrameworkM(modules=[__name__])
