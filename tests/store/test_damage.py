"""Damage to the files of a task: repaired from the other copy, or refused loudly. Never silent."""

import errno
from collections.abc import Callable
from itertools import count

import pytest

from agentrun.core import events as ev
from agentrun.core.state import TaskState
from agentrun.errors import Damaged, NotWritable, StoreError
from agentrun.store.record import LineCodec
from agentrun.store.task import TaskStore
from agentrun.store.values import COPY
from agentrun.store.view import TaskView
from tests.store.faulty_disk import LUCKS, Fault, FaultySystem, Luck, PowerCut
from tests.store.scenario import BIG, ROOT, SUB, TASK, TEXT, Driver, Oracle

FOLDER = f"{ROOT}/{TASK}"
JOURNAL = f"{FOLDER}/journal.jsonl"
MIRROR = f"{FOLDER}/journal.mirror.jsonl"
BOTH = (JOURNAL, MIRROR)


class Sound:
    """A finished small task, and the same again after each damage."""

    def __init__(self, *, snapshots: bool = False, events: int = 4) -> None:
        self.system, self.oracle = FaultySystem(), Oracle()
        driver = Driver(self.system, self.oracle)
        task = driver.opened()
        for seq in range(2, events + 1):
            event = ev.StepStarted(f"s{seq}", 1) if seq % 2 else ev.Warned(f"w{seq}")
            records = [ev.Recorded(seq, 1000.0, event)]
            self.oracle.trying(records)
            task.append(records)
            self.oracle.acknowledge(records)
        task.close()
        if snapshots:
            with driver.manager.open(TASK) as opened:
                opened.snapshot(opened.state)
        self.state = self.opened_state()
        self.files = {path: self.system.content(path) for path in self.system.paths()}

    def restore(self) -> None:
        for path in set(self.system.paths()) - set(self.files):
            self.system.unlink(path)
        for path, data in self.files.items():
            if path not in self.system.paths():
                self.system.close(self.system.open(path, 0o102))
            self.system.set_content(path, data)

    def opened_state(self) -> TaskState:
        driver = Driver(self.system, self.oracle)
        with driver.manager.open(TASK) as task:
            driver.check_opened(task)
            return task.state

    def damaged(self, path: str, data: bytes | None) -> None:
        """Damage a file and open the task: everything must be there again, in both files."""
        if data is None:
            self.system.unlink(path)
        else:
            self.system.set_content(path, data)
        assert self.opened_state() == self.state
        for copy in BOTH:
            assert self.system.content(copy) == self.files[copy], f"{copy} was not repaired"


@pytest.mark.parametrize("snapshots", [False, True])
@pytest.mark.parametrize("path", BOTH)
def test_a_flipped_bit_at_any_byte_is_repaired(path: str, *, snapshots: bool) -> None:
    sound = Sound(snapshots=snapshots, events=3)
    data = sound.files[path]
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 1 << index % 8
        sound.damaged(path, bytes(changed))
        kept = [p for p in sound.system.paths() if ".damaged-" in p or ".torn-" in p]
        assert len(kept) == 1, f"byte {index}: the damaged file was not kept aside"
        sound.system.unlink(kept[0])


@pytest.mark.parametrize("path", BOTH)
def test_a_copy_cut_off_at_any_byte_is_completed(path: str) -> None:
    sound = Sound(events=3)
    for size in range(len(sound.files[path])):
        sound.damaged(path, sound.files[path][:size])
        sound.restore()


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def doubled(data: bytes) -> bytes:
    first, second, *rest = lines(data)
    return b"".join([first, second, second, *rest])


def swapped(data: bytes) -> bytes:
    first, second, third, *rest = lines(data)
    return b"".join([first, third, second, *rest])


def foreign_line(data: bytes) -> bytes:
    codec = LineCodec("another-task")
    line, _ = codec.encode(ev.Recorded(99, 1.0, ev.Warned("x")), codec.genesis, 98)
    return data + line


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "garbage appended": lambda data: data + b"garbage\n\x00\xff{}[",
    "many garbage lines appended": lambda data: data + b'{"seq":9}\n' * 50,
    "zeros appended": lambda data: data + bytes(4096),
    "zeros in the middle": lambda data: data[:300] + bytes(200) + data[500:],
    "all zeros": lambda data: bytes(len(data)),
    "last line doubled": lambda data: data + lines(data)[-1],
    "a line doubled": doubled,
    "lines swapped": swapped,
    "first line gone": lambda data: b"".join(lines(data)[1:]),
    "a line gone": lambda data: b"".join(lines(data)[:1] + lines(data)[2:]),
    "a line of another task": foreign_line,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "a byte inserted": lambda data: data[:100] + b"x" + data[100:],
    "a BOM": lambda data: b"\xef\xbb\xbf" + data,
    "no newline at the end": lambda data: data[:-1],
    "deep nesting": lambda data: b"[" * 100_000 + data,
}


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("snapshots", [False, True])
@pytest.mark.parametrize("name", DAMAGES)
def test_any_single_damage_is_repaired(name: str, path: str, *, snapshots: bool) -> None:
    sound = Sound(snapshots=snapshots)
    sound.damaged(path, DAMAGES[name](sound.files[path]))


@pytest.mark.parametrize("name", DAMAGES)
def test_the_same_damage_to_both_copies_is_harmless_or_refused(name: str) -> None:
    """Whatever can't be repaired is refused, says what is lost, and leaves the files alone."""
    sound = Sound(events=6)
    for path in BOTH:
        changed = DAMAGES[name](sound.files[path])
        if changed is None:
            sound.system.unlink(path)
        else:
            sound.system.set_content(path, changed)
    before = {path: sound.system.content(path) for path in sound.system.paths()}
    refused = refusal(sound)
    if refused is not None:
        assert refused.exit_code == 4
        assert "record" in refused.message
        assert "byte" in refused.message
        left = {path: sound.system.content(path) for path in sound.system.paths()}
        del before[f"{FOLDER}/lock"], left[f"{FOLDER}/lock"]
        assert left == before


def refusal(sound: Sound) -> Damaged | None:
    """Open the task: either all is there, or it is refused."""
    try:
        assert sound.opened_state() == sound.state
    except Damaged as refused:
        return refused
    return None


def test_a_flip_in_both_copies_names_what_is_lost() -> None:
    sound = Sound(events=6)
    for path in BOTH:
        data = sound.files[path]
        sound.system.set_content(path, data.replace(b'"message":"w4"', b'"message":"w5"'))
    offset = len(b"".join(lines(sound.files[JOURNAL])[:3]))
    with pytest.raises(Damaged, match=rf"byte {offset}; record 4 is lost: .* 6 warned\."):
        sound.opened_state()


def test_a_spoilt_last_line_without_a_second_copy_is_refused() -> None:
    """A torn write is short or holds zeros; a whole line with a wrong sum was acknowledged."""
    sound = Sound()
    data = sound.files[JOURNAL]
    sound.system.set_content(MIRROR, b"".join(lines(data)[:-1]))
    sound.system.set_content(JOURNAL, data.replace(b'"w4"', b'"w5"'))
    with pytest.raises(Damaged, match="record 4 is lost"):
        sound.opened_state()


def test_a_snapshot_that_knows_more_than_the_journal_is_loud() -> None:
    sound = Sound(snapshots=True)
    shorter = b"".join(lines(sound.files[JOURNAL])[:-1])
    for path in BOTH:
        sound.system.set_content(path, shorter)
    with pytest.raises(Damaged, match="record 4 is lost: a snapshot was made"):
        sound.opened_state()


def test_a_torn_tail_in_both_copies_is_cut_off_and_kept() -> None:
    sound = Sound()
    codec = LineCodec(TASK)
    last = lines(sound.files[JOURNAL])[-1]
    torn, _ = codec.encode(ev.Recorded(5, 1.0, ev.Warned("torn")), last[-19:-3], 4)
    sound.system.set_content(JOURNAL, sound.files[JOURNAL] + torn[:60])
    assert sound.opened_state() == sound.state
    assert sound.system.content(JOURNAL) == sound.files[JOURNAL]
    kept = [path for path in sound.system.paths() if ".torn-" in path]
    assert [sound.system.content(path) for path in kept] == [torn[:60]]


def test_a_batch_that_was_never_synced_is_a_torn_tail_even_behind_a_hole() -> None:
    """Sectors reach the disk in any order: whole lines may stand behind one that is missing."""
    sound = Sound()
    codec = LineCodec(TASK)
    prev = lines(sound.files[JOURNAL])[-1][-19:-3]
    first, prev = codec.encode(ev.Recorded(5, 1.0, ev.Warned("a")), prev, 4)
    second, _ = codec.encode(ev.Recorded(6, 1.0, ev.Warned("b")), prev, 4)
    sound.system.set_content(JOURNAL, sound.files[JOURNAL] + bytes(len(first)) + second)
    assert sound.opened_state() == sound.state


def test_the_same_hole_in_what_was_synced_is_loss() -> None:
    sound = Sound()
    codec = LineCodec(TASK)
    prev = lines(sound.files[JOURNAL])[-1][-19:-3]
    first, prev = codec.encode(ev.Recorded(5, 1.0, ev.Warned("a")), prev, 4)
    second, _ = codec.encode(ev.Recorded(6, 1.0, ev.Warned("b")), prev, 5)
    sound.system.set_content(JOURNAL, sound.files[JOURNAL] + bytes(len(first)) + second)
    with pytest.raises(Damaged, match="record 5 is lost: record 6"):
        sound.opened_state()


@pytest.mark.parametrize("changed", [None, b"", b"name: other\n", b"\xff\xfe"])
def test_the_pinned_workflow_is_put_back(changed: bytes | None) -> None:
    sound = Sound()
    sound.damaged(f"{FOLDER}/workflow.yaml", changed)
    assert sound.system.content(f"{FOLDER}/workflow.yaml") == sound.files[f"{FOLDER}/workflow.yaml"]


def blobs_of(sound: Sound) -> list[str]:
    """The blobs that nothing but their copies gives back."""
    blobs = [path for path in sound.files if "/blobs/" in path and not path.endswith(COPY)]
    assert len(blobs) == 3
    assert all(sound.files[path] == sound.files[path + COPY] for path in blobs)
    return [path for path in blobs if sound.files[path] != TEXT]  # which workflow.yaml holds too


def damage(sound: Sound, path: str, data: bytes | None) -> None:
    if data is None:
        sound.system.unlink(path)
    else:
        sound.system.set_content(path, data)


def values_of(task: TaskStore | TaskView) -> object:
    """Read everything that stands in blobs, past `workflow.yaml`."""
    assert task.state.inputs is not None
    return task.sources, task.values.get(task.state.inputs)


SPOILT = ("missing", "empty", "zeros", "flipped", "cut off", "longer")


def spoilt(how: str, data: bytes) -> bytes | None:
    return {
        "missing": None,
        "empty": b"",
        "zeros": bytes(len(data)),
        "flipped": data[:5] + bytes([data[5] ^ 4]) + data[6:],
        "cut off": data[:-3],
        "longer": data + b" ",
    }[how]


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_blob_is_mended_from_its_copy_where_it_is_read(how: str) -> None:
    sound = Sound()
    for path in blobs_of(sound):
        sound.restore()
        changed = spoilt(how, sound.files[path])
        damage(sound, path, changed)
        told: list[str] = []
        with Driver(sound.system, sound.oracle).manager.open(TASK) as task:
            task.tell_repairs(told.append)
            assert values_of(task) == ({"sub.yaml": SUB}, {"text": BIG})
            assert told == list(task.repairs)
        name = path.removeprefix(f"{FOLDER}/")
        assert [line.startswith(f"{name} was ") for line in told] == [True]
        assert sound.system.content(path) == sound.files[path]
        kept = [other for other in sound.system.paths() if other.startswith(f"{path}.damaged-")]
        assert [sound.system.content(each) for each in kept] == [changed] * (changed is not None)


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_copy_is_written_anew_and_nobody_is_told(how: str) -> None:
    sound = Sound()
    for path in blobs_of(sound):
        sound.restore()
        damage(sound, path + COPY, spoilt(how, sound.files[path]))
        with Driver(sound.system, sound.oracle).manager.open(TASK) as task:
            assert values_of(task) == ({"sub.yaml": SUB}, {"text": BIG})
            assert task.repairs == ()
        assert sound.system.content(path + COPY) == sound.files[path]
        assert set(sound.system.paths()) == set(sound.files)


@pytest.mark.parametrize("how", SPOILT)
def test_a_blob_spoilt_in_both_files_is_refused_when_it_is_read(how: str) -> None:
    sound = Sound()
    for path in blobs_of(sound):
        sound.restore()
        for each in (path, path + COPY):
            damage(sound, each, spoilt(how, sound.files[path]))
        with (
            Driver(sound.system, sound.oracle).manager.open(TASK) as task,
            pytest.raises(Damaged, match=path) as refused,
        ):
            values_of(task)
        assert refused.value.exit_code == 4


def test_a_value_is_read_from_its_copy_without_a_lock_and_nothing_is_changed() -> None:
    sound = Sound()
    for path in blobs_of(sound):
        for which in (path, path + COPY):
            for how in SPOILT:
                sound.restore()
                damage(sound, which, spoilt(how, sound.files[path]))
                before = {each: sound.system.content(each) for each in sound.system.paths()}
                view = Driver(sound.system, sound.oracle).manager.read(TASK)
                assert values_of(view) == ({"sub.yaml": SUB}, {"text": BIG})
                after = {each: sound.system.content(each) for each in sound.system.paths()}
                assert after == before


@pytest.mark.parametrize("luck", LUCKS)
def test_a_power_cut_while_a_blob_is_mended_loses_nothing(luck: Luck) -> None:
    for how in ("missing", "flipped"):
        for at in count(1):
            sound = Sound(events=3)
            path = blobs_of(sound)[0]
            sound.system = sound.system.reboot("all")  # both files are at rest
            damage(sound, path, spoilt(how, sound.files[path]))
            sound.system.crash_at = sound.system.calls + at
            try:
                with Driver(sound.system, sound.oracle).manager.open(TASK) as task:
                    values_of(task)
            except PowerCut:
                sound.system = sound.system.reboot(luck, seed=at)
                with Driver(sound.system, sound.oracle).manager.open(TASK) as task:
                    assert values_of(task) == ({"sub.yaml": SUB}, {"text": BIG})
                continue
            break
        assert at > 20


def test_a_process_that_let_go_of_the_task_mends_nothing() -> None:
    sound = Sound()
    path = blobs_of(sound)[0]
    with Driver(sound.system, sound.oracle).manager.open(TASK) as task:
        pass
    sound.system.unlink(path)
    assert values_of(task) == ({"sub.yaml": SUB}, {"text": BIG})
    assert path not in sound.system.paths()


def test_a_damaged_snapshot_is_ignored_and_kept() -> None:
    sound = Sound(snapshots=True)
    (path,) = [path for path in sound.files if "/snapshots/" in path]
    data = sound.files[path]
    for changed in (b"", data[:-30], data.replace(b'"attempts":1', b'"attempts":2'), bytes(99)):
        sound.restore()
        sound.system.set_content(path, changed)
        assert sound.opened_state() == sound.state
        assert path + ".damaged" in sound.system.paths()


HOSTILE = (
    b'"attempt":1e999',
    b'"attempt":NaN',
    b'"attempt":' + b"9" * 5000,
    b'"attempt":"one"',
    b'"attempt":' + b"[" * 50_000 + b"]" * 50_000,
    b'"attempt":1,"x":' + b"[" * 50_000 + b"]" * 50_000,
    b'"attempt":1,"session":"\xff","step":"\xff"',
)


@pytest.mark.parametrize("part", HOSTILE)
def test_a_crafted_line_with_right_sums_is_refused_without_a_traceback(part: bytes) -> None:
    sound = Sound()
    codec = LineCodec(TASK, lambda body: body.replace(b'"attempt":1', part))
    last = lines(sound.files[JOURNAL])[-1]
    line, _ = codec.encode(ev.Recorded(5, 1.0, ev.StepStarted("s", 1)), last[-19:-3], 4)
    for path in BOTH:
        sound.system.set_content(path, sound.files[path] + line)
    with pytest.raises(StoreError, match="record 5 holds no event known here"):
        sound.opened_state()


def test_a_crafted_order_of_events_is_refused() -> None:
    sound = Sound()
    codec = LineCodec(TASK)
    prev = lines(sound.files[JOURNAL])[-1][-19:-3]
    first, prev = codec.encode(ev.Recorded(5, 1.0, ev.StepSucceeded("s3", 1)), prev, 4)
    second, _ = codec.encode(ev.Recorded(6, 1.0, ev.StepStarted("s3", 2)), prev, 5)
    for path in BOTH:
        sound.system.set_content(path, sound.files[path] + first + second)
    with pytest.raises(Damaged, match="record 6 can't follow"):
        sound.opened_state()


def test_the_second_copy_is_on_disk_when_a_task_is_closed() -> None:
    sound = Sound()
    sound.system = sound.system.reboot("none")
    sound.damaged(JOURNAL, None)


def test_a_whole_line_in_the_second_copy_proves_that_it_was_on_disk() -> None:
    """Records 5 and 6 are one batch, so neither says that the other was synced."""
    sound = Sound()
    codec = LineCodec(TASK)
    prev = lines(sound.files[JOURNAL])[-1][-19:-3]
    _, prev = codec.encode(ev.Recorded(5, 1.0, ev.Warned("a")), prev, 4)
    second, _ = codec.encode(ev.Recorded(6, 1.0, ev.Warned("b")), prev, 4)
    sound.system.set_content(MIRROR, sound.files[MIRROR] + second)
    with pytest.raises(Damaged, match="record 5 is lost: record 6"):
        sound.opened_state()


def test_every_event_stands_in_two_files_when_an_append_returns() -> None:
    system, oracle = FaultySystem(), Oracle()
    driver = Driver(system, oracle)
    task = driver.opened()
    driver.advance(task)
    assert system.content(MIRROR) == system.content(JOURNAL)
    assert system.content(MIRROR).count(b"\n") == task.seq


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("luck", LUCKS)
def test_a_power_cut_while_damage_is_repaired_loses_nothing(luck: Luck, path: str) -> None:
    for name in ("a line gone", "no newline at the end", "garbage appended", "missing"):
        for at in count(1):
            sound = Sound(events=3)
            changed = DAMAGES[name](sound.files[path])
            if changed is None:
                sound.system.unlink(path)
            else:
                sound.system.set_content(path, changed)
            sound.system.crash_at = sound.system.calls + at
            try:
                sound.opened_state()
            except PowerCut:
                sound.system = sound.system.reboot(luck, seed=at)
                assert sound.opened_state() == sound.state
                continue
            break


def test_a_repair_that_was_not_synced_is_synced_by_the_next_one() -> None:
    """A repair renames the whole file into place, and the folder's sync fails."""
    sound = Sound()
    sound.system.set_content(JOURNAL, b"".join(lines(sound.files[JOURNAL])[1:]))

    def fail_after_rename(kind: str) -> None:
        if kind == "fsync" and f"rename {JOURNAL}" in sound.system.trace[-2:]:
            sound.system.fault = Fault(sound.system.calls, errno.EIO)

    sound.system.before_call = fail_after_rename
    with pytest.raises(NotWritable):
        sound.opened_state()
    sound.system.kill()
    sound.system.before_call = None
    driver = Driver(sound.system, sound.oracle)
    driver.advance(driver.opened())
    rebooted = Driver(sound.system.reboot("none"), sound.oracle)
    rebooted.check_opened(rebooted.opened())


def padded() -> Sound:
    """A task whose process was killed when room for more lines was written ahead."""
    sound = Sound()
    driver = Driver(sound.system, sound.oracle)
    task = driver.opened()
    while task.seq < 14:
        driver.advance(task)
    sound.system.kill()
    sound.state = task.state
    sound.files = {path: sound.system.content(path) for path in sound.system.paths()}
    assert sound.files[JOURNAL].endswith(b"\n" * 10_000)
    return sound


def test_room_written_ahead_is_cut_off() -> None:
    sound = padded()
    lines_only = sound.files[MIRROR]
    view = Driver(sound.system, sound.oracle).manager.read(TASK)
    assert view.state == sound.state
    assert all(finding.ok for finding in view.findings)
    driver = Driver(sound.system, sound.oracle)
    task = driver.opened()
    assert task.repairs == ()
    assert sound.system.content(JOURNAL) == lines_only
    driver.advance(task)
    assert sound.system.content(JOURNAL).endswith(b"\n" * 10_000)
    task.close()
    assert sound.system.content(JOURNAL) == sound.system.content(MIRROR)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_to_a_journal_with_room_written_ahead_is_repaired(name: str) -> None:
    sound = padded()
    whole = sound.files[MIRROR]
    changed = DAMAGES[name](sound.files[JOURNAL])
    if changed is None:
        sound.system.unlink(JOURNAL)
    else:
        sound.system.set_content(JOURNAL, changed)
    assert sound.opened_state() == sound.state
    assert sound.system.content(JOURNAL) == sound.system.content(MIRROR) == whole
