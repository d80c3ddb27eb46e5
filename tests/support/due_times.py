"""What our due times are held against."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from croniter import croniter

from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.timing import Timing, zone


def timing(expression: str, zone_name: str) -> Timing:
    return Timing(Cron.parse(expression), zone(zone_name))


def croniter_between(
    expression: str, where: ZoneInfo, after: datetime, until: datetime
) -> Iterable[datetime]:
    theirs = croniter(expression, after.astimezone(where), second_at_beginning=True)
    moments = (moment.astimezone(UTC) for moment in theirs.all_next(datetime))
    return takewhile(lambda moment: moment <= until, moments)


def on_plain_days(moments: Iterable[datetime], where: ZoneInfo) -> list[datetime]:
    """Those on days that have 24 hours, on which there is no other rule than the expression's."""
    return [moment for moment in moments if _is_plain(moment.astimezone(where).date(), where)]


def _is_plain(day: date, where: ZoneInfo) -> bool:
    midnight = datetime(day.year, day.month, day.day, tzinfo=where)
    return midnight.utcoffset() == (midnight + timedelta(days=1)).utcoffset()
