"""What `clean_table.yaml` computes."""

import csv
import io
from datetime import datetime
from pathlib import Path

SAMPLE = """\
order,customer,date,amount
1001, Ada Lovelace ,2026-03-01,12.50
1002,alan turing,03/02/2026,"1,300.00"
1003,Grace Hopper,2026-03-04,n/a
1004,  ,2026-03-05,8
1005,Edsger Dijkstra,5 March 2026,€ 99.90
"""
DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d %B %Y")

Row = dict[str, str]


def read(path: str) -> list[Row]:
    """Return the rows of a CSV file, or of the sample."""
    text = Path(path).read_text("utf-8-sig") if path else SAMPLE
    return list(csv.DictReader(io.StringIO(text)))


def clean(row: Row) -> Row:
    """Return the row with its name, date and amount in one form. Raises ValueError."""
    name = " ".join(row["customer"].split()).title()
    if not name:
        raise ValueError(f"order {row['order']}: the customer has no name")
    amount = float(row["amount"].replace(",", "").lstrip("€$ "))
    return {**row, "customer": name, "date": _date(row["date"]), "amount": f"{amount:.2f}"}


def write(rows: list[Row], cleaned: list[Row] | None) -> str:
    """Return the clean rows as CSV, and the others as comments below."""
    results = cleaned or [None] * len(rows)
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(row for row in results if row)
    bad = [row for row, result in zip(rows, results, strict=True) if not result]
    return out.getvalue() + "\n".join(f"# left out: {','.join(row.values())}" for row in bad)


def _date(text: str) -> str:
    for form in DATES:
        try:
            return datetime.strptime(text.strip(), form).date().isoformat()
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not a date")
