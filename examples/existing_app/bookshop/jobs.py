"""What happens in the background."""

from framework_m import JobContext, job


@job(http=True, roles=["Shop"])
async def send_receipt(ctx: JobContext, order: int, customer: str) -> str:
    await ctx.log(f"writing to {customer}")
    return f"receipt for order {order} sent to {customer}"
