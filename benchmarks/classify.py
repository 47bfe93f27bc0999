"""Measure the classifier on a file of labelled failures.

    python benchmarks/classify.py tests/failures/cases.jsonl [--misses]

One JSON object a line: what `agentrun classify --jsonl` reads, and the labels `kind` and, if they
are there, `category` (else the kind's own), `alt` (other pairs `[category, kind]` that can be
defended; they count as right in the lenient score), `confidence` (of the label) and
`retry_after_s`. Only the labels of one file are compared: nothing is learnt here.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agentrun.core.failure import CATEGORY_OF, Category, Kind, Verdict
from agentrun.failures.classify import classify
from agentrun.failures.evidence import from_jsonl

CLEAR = 0.85
"""From this confidence on, a label is clear."""
COSTLY = frozenset({Kind.AUTH, Kind.QUOTA, Kind.SECURITY, Kind.PERMISSION})
"""Kinds whose retry costs money or locks an account."""
WAIT_TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Labelled:
    name: str
    category: Category
    kind: Kind
    alternatives: frozenset[tuple[str, str]]
    confidence: float
    wait_s: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    label: Labelled
    verdict: Verdict

    @property
    def kind_right(self) -> bool:
        return self.verdict.kind is self.label.kind

    @property
    def category_right(self) -> bool:
        return self.verdict.category is self.label.category

    @property
    def kind_defensible(self) -> bool:
        kinds = {kind for _, kind in self.label.alternatives}
        return self.kind_right or self.verdict.kind.value in kinds

    @property
    def category_defensible(self) -> bool:
        categories = {category for category, _ in self.label.alternatives}
        return self.category_right or self.verdict.category.value in categories

    @property
    def costly(self) -> bool:
        """A fatal failure that a runner would retry."""
        return self.label.kind in COSTLY and self.verdict.category is Category.TRANSIENT


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the classifier on labelled failures.")
    parser.add_argument("file", type=Path, help="one labelled failure a line, as JSON")
    parser.add_argument("--misses", action="store_true", help="list what was judged wrong")
    options = parser.parse_args()
    judged = list(_judge(options.file.read_text(encoding="utf-8").splitlines()))
    if not judged:
        parser.error(f"{options.file} holds no labelled failure")
    _print_scores(judged)
    _print_confusion(judged)
    if options.misses:
        _print_misses(judged)


def _judge(lines: Iterable[str]) -> Iterator[Judged]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            entry = json.loads(line)
            yield Judged(_label(entry, number), classify(from_jsonl(entry)))


def _label(entry: dict[str, object], number: int) -> Labelled:
    kind = Kind(str(entry["kind"]))
    alternatives = entry.get("alt") or []
    assert isinstance(alternatives, list)
    wait = entry.get("retry_after_s")
    return Labelled(
        name=str(entry.get("id", f"line {number}")),
        category=Category(str(entry.get("category") or CATEGORY_OF[kind])),
        kind=kind,
        alternatives=frozenset((str(pair[0]), str(pair[1])) for pair in alternatives),
        confidence=float(str(entry.get("confidence", 1.0))),
        wait_s=float(str(wait)) if wait is not None else None,
        text=str(entry.get("text", "")),
    )


def _print_scores(judged: Sequence[Judged]) -> None:
    clear = [one for one in judged if one.label.confidence >= CLEAR]
    print(f"{'':24}{'items':>7}{'category':>10}{'kind':>8}")
    _print_score("strict", [(one.category_right, one.kind_right) for one in judged])
    _print_score("lenient", [(one.category_defensible, one.kind_defensible) for one in judged])
    _print_score("clear labels, strict", [(one.category_right, one.kind_right) for one in clear])
    waits = [one for one in judged if one.label.wait_s is not None]
    if waits:
        print(f"{'stated waits read':24}{len(waits):7}{sum(map(_wait_right, waits)):18}")
    unknown = sum(one.verdict.kind is Kind.UNKNOWN for one in judged)
    print(f"{'judged unknown':24}{unknown:7}")
    print(f"{'costly (fatal retried)':24}{sum(one.costly for one in judged):7}")


def _print_score(name: str, right: Sequence[tuple[bool, bool]]) -> None:
    if right:
        category = sum(first for first, _ in right) / len(right)
        kind = sum(second for _, second in right) / len(right)
        print(f"{name:24}{len(right):7}{category:10.1%}{kind:8.1%}")


def _wait_right(one: Judged) -> bool:
    wanted, got = one.label.wait_s, one.verdict.retry_after_s
    return wanted is not None and got is not None and abs(wanted - got) <= WAIT_TOLERANCE_S


def _print_confusion(judged: Sequence[Judged]) -> None:
    """A row per labelled kind: how many, how many right, and what the others were taken for."""
    print(f"\n{'labelled as':20}{'items':>6}{'right':>7}  taken for")
    for kind in Kind:
        rows = [one for one in judged if one.label.kind is kind]
        if not rows:
            continue
        wrong = Counter(one.verdict.kind.value for one in rows if not one.kind_right)
        others = ", ".join(f"{name} {count}" for name, count in wrong.most_common())
        right = sum(one.kind_right for one in rows) / len(rows)
        print(f"{kind.value:20}{len(rows):6}{right:7.0%}  {others}")


def _print_misses(judged: Sequence[Judged]) -> None:
    print("\nmisses (c: costly, d: defensible)")
    for one in judged:
        if one.kind_right and one.category_right:
            continue
        mark = "c" if one.costly else "d" if one.kind_defensible else " "
        print(
            f"{mark} {one.label.name}: {one.label.kind} ({one.label.confidence:g}), "
            f"got {one.verdict.kind} by {one.verdict.rule} on {one.verdict.evidence!r}"
        )
        print(f"    {' '.join(one.label.text.split())[:160]}")


if __name__ == "__main__":
    main()
