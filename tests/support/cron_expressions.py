"""Two hundred cron expressions that cronsim and croniter both read, and read alike.

Where the two mean different things, cronsim's meaning is ours, and there is nothing to compare:

- Seconds come first. croniter has them last, unless it is told `second_at_beginning=True`.
- A day of the month and a weekday of which one begins with a star are joined by AND
  (`0 9 */2 * MON`); croniter joins them by OR, as two that begin with none.
- The last Friday of the month is `5L`. croniter writes `L5`.
- `LW`, the last weekday of the month, is not known to croniter; nor is `MON#1,FRI`.
- `FRI-MON`, `SAT-SUN` (Sunday is 0) and `22-2` run backwards and are refused; croniter wraps them.
- `@every` is ours; a seventh field, the year, is croniter's.
"""

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")

_TIMES = ("0 0", "30 2", "15 9", "59 23")

_DAILY = tuple(
    f"{time} * * *"
    for time in (
        *("0 0", "1 0", "30 0", "59 0", "0 1", "30 1", "0 2", "15 2", "30 2", "0 3"),
        *("30 3", "0 6", "45 7", "0 9", "0 12", "5 13", "30 17", "0 20", "0 23", "59 23"),
        *("0,30 9", "0 9,17", "0 2,3", "15,45 1-3", "0-10/5 2", "30 0,12", "0 9-17", "0 8-18/2"),
    )
)
_WEEKLY = tuple(
    f"{time} * * {days}"
    for time in _TIMES
    for days in ("1-5", "MON-FRI", "SAT,SUN", "0", "7", "MON", "TUE,THU", "1,3,5")
)
_MONTHLY = tuple(
    f"{time} {day} * *"
    for time in _TIMES
    for day in ("1", "15", "L", "28", "31", "1,15", "10-20/5", "1-7")
)
_IN_MONTHS = tuple(
    f"{time} {day} {months} *"
    for time in ("0 2", "30 14")
    for day, months in (
        *(("*", "JAN"), ("1", "6"), ("15", "3,9"), ("1", "*/3"), ("*", "NOV-DEC"), ("5", "1-12/2")),
        *(("25", "12"), ("29", "2"), ("1", "JAN,JUL"), ("L", "2"), ("31", "10"), ("*", "3,10")),
    )
)
_NTH = tuple(
    f"{time} * * {day}" for time in _TIMES for day in ("MON#1", "FRI#3", "2#2", "SUN#5", "sun#1")
)
_DAY_OR_WEEKDAY = ("0 9 1 * MON", "30 2 13 * 5", "0 0 1,15 * 1-5", "15 10 10-20 6 SUN")
_INTERVALS = (
    *(f"*/{n} * * * *" for n in (1, 2, 3, 5, 7, 10, 15, 20, 30)),
    *("0 * * * *", "7 * * * *", "30 * * * *", "59 * * * *", "0,30 * * * *", "5-20/5 * * * *"),
    *(f"0 */{n} * * *" for n in (2, 3, 4, 5, 6, 8, 12)),
    *("30 */2 * * *", "*/15 2 * * *", "*/20 0 * * *", "*/10 9-17 * * 1-5", "*/30 23 L * *"),
    *("* 2 * * *", "*/5 1-3 * * SUN", "* * * * SUN", "0-30/10 */6 1 * *", "3/20 * * * *"),
    *("@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@midnight", "@annually"),
)
_SECONDS = (
    *("* * * * * *", "*/10 * * * * *", "*/7 * * * * *", "0 * * * * *", "30 */5 * * * *"),
    *("0 30 2 * * *", "0 0 * * * *", "15 45 */6 * * *", "0 0 9 * * 1-5", "0,30 0 2,3 * * *"),
    *("1-5 0 0 1 * *", "0 0 0 L * *", "59 59 23 31 12 *", "0 */15 1-3 * * *", "*/20 5 */8 * * *"),
    *("0 30 12 15 * *", "30 0 2 * * SUN#1", "0 0 0 1 1 *", "45 */10 2 L * *", "5,35 * 2 * 3,10 *"),
    "0 0 1 1,15 * 5",
)

EXPRESSIONS = (
    _DAILY + _WEEKLY + _MONTHLY + _IN_MONTHS + _NTH + _DAY_OR_WEEKDAY + _INTERVALS + _SECONDS
)
