"""Rules for the codes of SQL databases: SQLSTATE classes and MySQL's error numbers.

Owns the numbers only; the sentences beside them are databases.py's.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Rule


def _mysql(kind: Kind, *numbers: int) -> Rule:
    """MySQL prints `ERROR 1205 (HY000)`, its drivers `(1205, '...')` or `1205 (HY000): ...`."""
    alternatives = "|".join(str(number) for number in numbers)
    return Rule(
        f"mysql.{kind.value}",
        kind,
        pattern=rf"^error (?:{alternatives})(?: \(|:)|\b\w*error: ?\(?(?:{alternatives})(?:, | \()"
        rf"|\b(?:{alternatives}) \([0-9A-Z]{{5}}\)|\berrno: (?:{alternatives})\b"
        rf"|\bgot error: (?:{alternatives})\b",
    )


def _state(kind: Kind, states: str) -> Rule:
    return Rule(
        f"sqlstate.{kind.value}",
        kind,
        pattern=rf"\bsqlstate\W{{0,6}}(?:{states})\b|\bcode: '(?:{states})'"
        rf"|\"code\": ?\"(?:{states})\"|^(?:error|fatal|panic): +(?:{states}):",
    )


RULES: tuple[Rule, ...] = (
    # their numbers
    _mysql(Kind.AUTH, 1045, 1698, 1820, 1862, 3118),
    _mysql(Kind.PERMISSION, 1044, 1129, 1142, 1143, 1227, 1290, 1836, 1370),
    _mysql(Kind.OVERLOADED, 1040, 1203, 1226, 1053),
    _mysql(Kind.TIMEOUT, 3024, 1969),
    _mysql(Kind.NETWORK, 2002, 2003, 2005, 2006, 2013, 2055, 1927, 1158, 1159, 1160, 1161, 1184),
    _mysql(Kind.LOCK, 1205, 1213, 1099, 1100, 3572, 1020),
    _mysql(Kind.RESOURCE_CONFLICT, 1062, 1050, 1007, 1022, 1061, 1304, 1586),
    _mysql(Kind.NOT_FOUND, 1049),
    _mysql(Kind.DISK_FULL, 1114, 1021, 3675),
    _mysql(
        Kind.INPUT_FORMAT,
        1048,
        1216,
        1217,
        1264,
        1292,
        1364,
        1366,
        1406,
        1451,
        1452,
        3819,
        1153,
    ),
    _mysql(Kind.LOGIC, 1054, 1064, 1146, 1051, 1052, 1055, 1136, 1241, 1242, 1305),
    _mysql(Kind.OUT_OF_MEMORY, 1037, 1038, 1041),
    _mysql(Kind.CRASH, 145, 1194, 1195),
    _state(Kind.LOCK, "40001|40P01|55P03|25006"),
    _state(Kind.OVERLOADED, "53300|57P03|53000|53400"),
    _state(Kind.DISK_FULL, "53100"),
    _state(Kind.OUT_OF_MEMORY, "53200"),
    _state(Kind.AUTH, "28000|28P01"),
    _state(Kind.PERMISSION, "42501"),
    _state(Kind.NETWORK, "08[0-9A-Z]{3}|57P01|57P02"),
    _state(Kind.RESOURCE_CONFLICT, "23505|23P01|42P0[4-7]|42710|42723"),
    _state(Kind.INPUT_FORMAT, "22[0-9A-Z]{3}|2350[234]|23514"),
    _state(Kind.NOT_FOUND, "3D000"),
    _state(Kind.LOGIC, "42601|42703|42P01|42883|25P02"),
)
