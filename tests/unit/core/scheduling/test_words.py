"""Schedules in words."""

import pytest

from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.words import describe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9 * * mon-fri", "every weekday at 09:00"),
        ("0 9 * * *", "every day at 09:00"),
        ("0 9,17 * * *", "every day at 09:00 and 17:00"),
        ("@daily", "every day at 00:00"),
        ("*/5 * * * *", "every 5 minutes"),
        ("* * * * *", "every minute"),
        ("0 * * * * *", "every minute"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("0 * * * *", "every hour"),
        ("30 * * * *", "every hour at minute 30"),
        ("0 */6 * * *", "every 6 hours"),
        ("15 10 * * MON,WED", "every Monday and Wednesday at 10:15"),
        ("15 10 * * 7,6", "every Saturday and Sunday at 10:15"),
        ("30 15 10 * * 0", "every Sunday at 10:15:30"),
        ("@monthly", "on the 1st of every month at 00:00"),
        ("0 0 2 * *", "on the 2nd of every month at 00:00"),
        ("0 0 11 * *", "on the 11th of every month at 00:00"),
        ("0 0 23 1,JUL *", "on the 23rd of January and July at 00:00"),
        ("0 0 L * *", "on the last day of every month at 00:00"),
        ("0 18 LW * *", "on the last weekday of every month at 18:00"),
        ("0 18 * * 5L", "on the last Friday of every month at 18:00"),
        ("0 18 * * TUE#2", "on the 2nd Tuesday of every month at 18:00"),
        ("@every 90s", "every 90 seconds"),
        ("@every 90m", "every 90 minutes"),
        ("@every 60m", "every hour"),
        # cronsim's own words
        ("*/7 * * * *", "every seventh minute of every hour"),
        ("0-30/10 1 1 6 *", "every 10th minute from 0 through 30 past hour 1 on June 1"),
    ],
)
def test_a_schedule_in_words(text: str, words: str) -> None:
    described = describe(Cron.parse(text), "Europe/Berlin")
    assert described.removesuffix(", Europe/Berlin") == words
