"""Lines of the journal: what goes in comes out, and one line proves one thing only."""

import json
from pathlib import Path

import msgspec
from hypothesis import given, settings, strategies as st

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.outcome import Usage
from agentrun.core.value import Blob, Inline, Items
from agentrun.store.record import LineCodec, decode, iso, links, place, seconds

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.one_of(
    st.builds(Inline, TEXT | st.integers(-(2**63), 2**64 - 1) | st.none()),
    st.builds(Blob, TEXT, st.integers(0, 2**40), st.dictionaries(TEXT, TEXT, max_size=2)),
    st.builds(Items, st.integers(0, 10_000)),
)
FAILURES = st.builds(
    Failure,
    st.sampled_from(Category),
    st.sampled_from(Kind),
    TEXT,
    tail=TEXT,
    took_effect=st.booleans(),
)
EVENTS = st.one_of(
    st.builds(ev.StepStarted, TEXT, st.integers(1, 99)),
    st.builds(
        ev.StepSucceeded, TEXT, st.integers(1, 99), VALUES, usage=st.none() | st.builds(Usage)
    ),
    st.builds(ev.StepFailed, TEXT, st.integers(1, 99), FAILURES),
    st.builds(ev.Warned, TEXT, st.none() | TEXT),
    st.builds(ev.StepAnswered, TEXT, st.lists(TEXT | st.integers(0, 9)), TEXT),
    st.builds(ev.TaskPaused, st.just("quota"), st.just(75), TEXT),
)
TIMES = st.floats(0, 4e9).map(lambda time: round(time, 6))


@given(EVENTS, TIMES, st.integers(1, 10**9), st.integers(0, 10**9))
@settings(max_examples=300, deadline=None)
def test_an_event_comes_back_from_its_line(
    event: ev.Event, time: float, seq: int, synced: int
) -> None:
    codec = LineCodec("t")
    recorded = ev.Recorded(seq, time, event)
    line, total = codec.encode(recorded, codec.genesis, synced)
    assert decode(line) == recorded
    assert codec.follows(line, seq, codec.genesis)
    assert codec.proves_itself(line)
    assert place(line) == (seq, synced)
    assert links(line) == (codec.genesis, total)
    fields = json.loads(line)
    assert fields["len"] == len(line)
    assert fields["type"] == type(event).__struct_config__.tag
    assert line.count(b"\n") == 1


@given(st.lists(st.floats(-1e9, 4e9), min_size=1, max_size=9))
def test_a_line_holds_the_time_as_it_is_written_anywhere(times: list[float]) -> None:
    codec = LineCodec("t")
    for time in times:
        line, _ = codec.encode(ev.Recorded(1, time, ev.Warned("a")), codec.genesis, 0)
        assert json.loads(line)["time"] == iso(time)


@given(TIMES)
def test_a_time_rounded_to_microseconds_comes_back(time: float) -> None:
    assert seconds(iso(time)) == time


def test_a_line_follows_one_line_of_one_task_only() -> None:
    codec = LineCodec("t")
    line, total = codec.encode(ev.Recorded(1, 1.0, ev.Warned("a")), codec.genesis, 0)
    assert not codec.follows(line, 2, codec.genesis)
    assert not codec.follows(line, 1, total)
    assert not LineCodec("u").proves_itself(line)
    assert LineCodec("u").genesis != codec.genesis


def test_no_event_has_a_field_of_the_line_itself() -> None:
    own = {"len", "seq", "synced", "time", "prev", "sum", "task_id"}
    for kind in ev.Event.__args__:
        names = {field.name for field in msgspec.structs.fields(kind)}
        assert not names & own, kind
        assert kind.__struct_config__.tag_field == "type"


def test_the_worked_example_of_the_docs_holds() -> None:
    codec = LineCodec("hello-20261123-173122-k3fj")
    time = seconds("2026-11-23T17:31:22.123456Z")
    events: tuple[ev.Event, ...] = (ev.Warned("hello"), ev.StepStarted("a", 1))
    page = Path(__file__).parents[2].joinpath("docs", "journal.md").read_bytes()
    prev = codec.genesis
    for seq, event in enumerate(events, 1):
        line, prev = codec.encode(ev.Recorded(seq, time, event), prev, 0)
        assert b"    " + line in page
    assert codec.genesis in page
