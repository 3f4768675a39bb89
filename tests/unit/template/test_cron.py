"""EventBridge's cron expressions, compared with a check of every single day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.template.cron import Cron

DAYS = [date(2023, 12, 1) + timedelta(days=n) for n in range(900)]


def days(expression: str, first: date = DAYS[0], count: int = 5) -> list[str]:
    dates = Cron.parse(expression).dates(first)
    return [str(next(dates)) for _ in range(count)]


@st.composite
def number_fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """Draw a field, and the numbers that match it."""
    parts, allowed = [], set()
    for _ in range(draw(st.integers(1, 3))):
        begin, end = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
        step = draw(st.integers(1, high))
        text, numbers = draw(st.sampled_from([
            (f"{begin}", {begin}),
            (f"{begin}-{end}", {n for n in range(low, high + 1) if begin <= n <= end}),
            (f"{end}-{begin}", {n for n in range(low, high + 1) if n >= end or n <= begin} if end > begin else {begin}),
            (f"{begin}/{step}", {n for n in range(begin, high + 1) if (n - begin) % step == 0}),
            (f"{begin}-{end}/{step}", {n for n in range(begin, end + 1) if (n - begin) % step == 0}),
            ("*", set(range(low, high + 1))),
            (f"*/{step}", {n for n in range(low, high + 1) if (n - low) % step == 0}),
        ]))  # fmt: skip
        parts.append(text)
        allowed |= numbers
    return ",".join(parts), allowed


@given(number_fields(0, 59), number_fields(0, 23), number_fields(1, 12), number_fields(2020, 2030))
def test_minutes_hours_months_and_years(minutes, hours, months, years):
    cron = Cron.parse(f"{minutes[0]} {hours[0]} * {months[0]} ? {years[0].replace('*', '2020-2030')}")
    assert (set(cron.minutes), set(cron.hours), set(cron.months)) == (minutes[1], hours[1], months[1])
    if "-" not in years[0] and "/" not in years[0]:
        assert set(cron.years) == years[1]


@given(number_fields(1, 31), number_fields(1, 12))
def test_days_of_the_month(field, months):
    wanted = [day for day in DAYS if day.day in field[1] and day.month in months[1]]
    found = Cron.parse(f"0 0 {field[0]} {months[0]} ? *").dates(DAYS[0])
    assert [next(found) for _ in wanted] == wanted


@given(number_fields(1, 7))
def test_days_of_the_week_count_from_sunday(field):
    wanted = [day for day in DAYS if (day.weekday() + 1) % 7 + 1 in field[1]]
    found = Cron.parse(f"0 0 ? * {field[0]} *").dates(DAYS[0])
    assert [next(found) for _ in wanted] == wanted


def month_of(day: date) -> list[date]:
    return [other for other in (day + timedelta(days=n) for n in range(-31, 32)) if other.month == day.month
            and other.year == day.year]  # fmt: skip


@pytest.mark.parametrize("number", range(1, 32))
def test_weekday_nearest_to_a_day(number: int):
    wanted = []
    for day in DAYS:
        month = month_of(day)
        weekdays = [other for other in month if other.weekday() < 5]
        if number <= len(month) and day == min(weekdays, key=lambda other: abs(other.day - number)):
            wanted.append(day)
    found = Cron.parse(f"0 0 {number}W * ? *").dates(DAYS[0])
    assert [next(found) for _ in wanted] == wanted


@pytest.mark.parametrize("before", [0, 1, 5, 30])
def test_last_days_of_the_month(before: int):
    wanted = [day for day in DAYS if month_of(day)[-1].day - day.day == before]
    found = Cron.parse(f"0 0 {f'L-{before}' if before else 'L'} * ? *").dates(DAYS[0])
    assert [next(found) for _ in wanted] == wanted
    last = [day for day in DAYS if day == [d for d in month_of(day) if d.weekday() < 5][-1]]
    found = Cron.parse("0 0 LW * ? *").dates(DAYS[0])
    assert [next(found) for _ in last] == last


@pytest.mark.parametrize("weekday", range(1, 8))
@pytest.mark.parametrize("which", [1, 2, 3, 4, 5, "L"])
def test_one_weekday_of_the_month(weekday: int, which: int | str):
    wanted = []
    for day in DAYS:
        like = [other for other in month_of(day) if (other.weekday() + 1) % 7 + 1 == weekday]
        if day in (like[-1:] if which == "L" else like[int(which) - 1 :][:1]):
            wanted.append(day)
    found = Cron.parse(f"0 0 ? * {weekday}{'L' if which == 'L' else f'#{which}'} *").dates(DAYS[0])
    assert [next(found) for _ in wanted] == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("0 10 ? * MON-FRI *", ["2023-12-01", "2023-12-04", "2023-12-05", "2023-12-06", "2023-12-07"]),
        ("0 10 ? * fri-mon *", ["2023-12-01", "2023-12-02", "2023-12-03", "2023-12-04", "2023-12-08"]),
        ("0 10 ? * L *", ["2023-12-02", "2023-12-09", "2023-12-16", "2023-12-23", "2023-12-30"]),
        ("0 10 ? FEB,OCT FRIL *", ["2024-02-23", "2024-10-25", "2025-02-28", "2025-10-31", "2026-02-27"]),
        ("0 0 29 2 ? *", ["2024-02-29", "2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
        ("0 0 ? 2 1#5 *", ["2032-02-29", "2060-02-29", "2088-02-29", "2128-02-29", "2156-02-29"]),
    ],
)
def test_names_and_rare_days(expression: str, wanted: list[str]):
    assert days(expression) == wanted


def test_expression_without_a_future_date_has_no_dates():
    assert list(Cron.parse("0 0 30 2 ? *").dates(DAYS[0])) == []
    assert list(Cron.parse("0 0 1 1 ? 1970-2020").dates(DAYS[0])) == []


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0 2 * * ?", "cron(0 2 * * ?) has 5 fields. Write six: minutes, hours, day of month, month, day of week, "
         "year."),
        ("0 2 * * * *", "cron(0 2 * * * *): write ? for either the day of the month or the day of the week, not both."),
        ("0 2 ? * ? *", "cron(0 2 ? * ? *): write ? for either the day of the month or the day of the week, not both."),
        ("60 2 * * ? *", "'60' is not valid for minutes. Write numbers from 0 to 59 as in 1,5-8 or 0/10, or *."),
        ("0 2 * SUN ? *", "'SUN' is not valid for month. Write numbers from 1 to 12 as in 1,5-8 or 0/10, or *."),
        ("0 2 * * ? 1969", "'1969' is not valid for year. Write numbers from 1970 to 2199 as in 1,5-8 or 0/10, or *."),
        ("0 2 0 * ? *", "'0' is not valid for day of month. Write numbers from 1 to 31 as in 1,5-8 or 0/10, or *."),
        ("0 2 1,LW * ? *",
         "'1,LW' is not valid for day of month. Write numbers from 1 to 31 as in 1,5-8 or 0/10, or *."),
        ("0 2 ? * 8 *", "'8' is not valid for day of week. Write numbers from 1 to 7 as in 1,5-8 or 0/10, or *."),
        ("0 2 ? * 2#6 *", "'2#6' is not valid for day of week. Write numbers from 1 to 7 as in 1,5-8 or 0/10, or *."),
        ("0/0 2 * * ? *", "'0/0' is not valid for minutes. Write numbers from 0 to 59 as in 1,5-8 or 0/10, or *."),
    ],
)  # fmt: skip
def test_rejected_expression_names_its_field(expression: str, text: str):
    with pytest.raises(ValueError) as caught:
        Cron.parse(expression)
    assert str(caught.value) == text
