"""A date that is written in another form than the one that is wanted."""

import re
from datetime import date

from agentrun.recovery.debugger.analysts.playbooks import declared, said
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.incident import Incident

_ISO_WANTED = re.compile(
    r"invalid isoformat|does not match format ['\"]%Y-%m-%d['\"]|\bISO[ -]?8601\b|\bYYYY-MM-DD\b"
    r"|is not a 'date'|should be a valid date",
    re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"(\d{4})[./](\d{1,2})[./](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")


def iso_wanted(incident: Incident) -> Diagnosis | None:
    """Write a date as YYYY-MM-DD where that is asked for and the date can mean one day only."""
    found = _ISO_WANTED.search(incident.said)
    if found is None:
        return None
    read = [
        (fix, name, value, day)
        for fix, name, value in declared(incident)
        if isinstance(value, str) and value in incident.said and (day := one_day(value))
    ]
    if len(read) != 1:
        return None
    fix, name, value, day = read[0]
    proposed = Fix(fix, {"name": name, "value": day.isoformat()}, f"not {value}")
    return said(f"{name} is a date in another form", 0.7, found[0], proposed)


def one_day(text: str) -> date | None:
    """Return the day that a text means; None when it is no date, or could be two. Dots mean that
    the day comes first; with `/` and `-` only a number above 12 says which one is the day.
    """
    if found := _YEAR_FIRST.fullmatch(text):
        return _day(*found.groups())
    found = _YEAR_LAST.fullmatch(text)
    if found is None:
        return None
    first, separator, second, year = found.groups()
    readings = [_day(year, second, first)]
    if separator != ".":
        readings.append(_day(year, first, second))
    days = {day for day in readings if day is not None}
    return days.pop() if len(days) == 1 else None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
