"""Evidence in, verdict out: which rule matched, on what.

Owns the order in which the rules are asked. Pure: no clock, no files, no network; the one moment
it needs, for reset times that name a time of day, is given as `now`.

Rules are asked by level (a signal or an error code before a tool's own words, those before words
that many programs share, a bare status or exit code last) and, within a level, in the order of
`QUESTIONS`: did somebody stop it, did it die, memory, disk, money, size, policy, identity, and so
on down to the step's own code. The first match decides; nothing matching is `unknown`, which is a
finding of its own and never guessed away.
"""

from collections.abc import Sequence
from functools import lru_cache

from agentrun.core.failure import CATEGORY_OF, Evidence, Kind, Verdict
from agentrun.failures.facts import Facts, facts_of
from agentrun.failures.retry_after import retry_after_s
from agentrun.failures.rules import SNIPPET_CHARS, Rule, match

QUESTIONS: tuple[Kind, ...] = (
    Kind.CANCELLED,
    Kind.CRASH,
    Kind.OUT_OF_MEMORY,
    Kind.DISK_FULL,
    Kind.QUOTA,
    Kind.CONTEXT_OVERFLOW,
    Kind.SECURITY,
    Kind.AUTH,
    Kind.PERMISSION,
    Kind.RATE_LIMIT,
    Kind.OVERLOADED,
    Kind.TIMEOUT,
    Kind.NETWORK,
    Kind.LOCK,
    Kind.RESOURCE_CONFLICT,
    Kind.MISSING_DEPENDENCY,
    Kind.NOT_FOUND,
    Kind.OUTPUT_FORMAT,
    Kind.INPUT_FORMAT,
    Kind.INVALID_CONFIG,
    Kind.LOGIC,
    Kind.UNKNOWN,
)
"""The order of the questions: what is costly to misread as passing comes first."""

NOTHING_MATCHED = "nothing_matched"
"""The rule id of a verdict that no rule gave."""

_WAITED_FOR = frozenset(
    {Kind.RATE_LIMIT, Kind.OVERLOADED, Kind.QUOTA, Kind.LOCK, Kind.TIMEOUT, Kind.NETWORK}
)
"""Kinds that time cures: only for these does a stated wait mean anything."""


def classify(
    evidence: Evidence, extra_rules: Sequence[Rule] = (), *, now: float | None = None
) -> Verdict:
    """Judge one failure; `extra_rules` are asked first, in their order."""
    facts = facts_of(evidence)
    for rule in (*extra_rules, *builtin_rules()):
        found = match(rule, facts)
        if found is not None:
            return _verdict(rule, facts, found, now)
    tail = " ".join(facts.text[-SNIPPET_CHARS:].split())
    return Verdict(CATEGORY_OF[Kind.UNKNOWN], Kind.UNKNOWN, NOTHING_MATCHED, tail)


@lru_cache(maxsize=1)
def builtin_rules() -> tuple[Rule, ...]:
    """All rules of this package in the order in which they are asked."""
    from agentrun.failures import (
        agents,
        builds,
        cloud,
        codes,
        containers,
        databases,
        http,
        llm,
        llm_requests,
        network,
        packages,
        process,
        python,
        runtimes,
        sql,
        system,
        translated,
        vcs,
    )

    rooms = (
        process, llm, llm_requests, agents, http, codes, python, sql, databases, vcs, packages,
        containers, cloud, builds, runtimes, network, system, translated,
    )  # fmt: skip
    rank = {kind: number for number, kind in enumerate(QUESTIONS)}
    rules = [rule for room in rooms for rule in room.RULES]
    return tuple(sorted(rules, key=lambda rule: (rule.level, rank[rule.kind])))


def _verdict(rule: Rule, facts: Facts, found: str, now: float | None) -> Verdict:
    wait = retry_after_s(facts.text, facts.headers, now) if rule.kind in _WAITED_FOR else None
    category = rule.category or CATEGORY_OF[rule.kind]
    return Verdict(category, rule.kind, rule.id, found[:SNIPPET_CHARS], wait)
