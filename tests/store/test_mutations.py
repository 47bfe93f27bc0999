"""Each guard of the store is taken out in turn, and a test must notice.

A mutation is a piece of the store's own text and what stands there instead; the store and its tests
are imported afresh with it, and the named test is run. So no sync, no check and no lock can be lost
in a change without somebody hearing of it. Add a line here with every new guard.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, MappingProxyType, ModuleType
from typing import Any, NamedTuple

import pytest

import agentrun.store
from tests.store.faulty_disk import PowerCut

FRESH = ("agentrun.store", "tests.store")
STORE = Path(__file__).parents[2] / "agentrun" / "store"


class Mutation(NamedTuple):
    """In `module`, `text` becomes `instead`; the call of `test` must fail."""

    module: str
    text: str
    instead: str
    test: str
    arguments: Mapping[str, Any] = MappingProxyType({})


CUT = "test_crashes.test_power_cut_at_every_operation_loses_nothing_acknowledged"
KILL = "test_crashes.test_a_power_cut_in_the_recovery_from_a_kill_loses_nothing"
SYNC = "test_faults.test_a_power_cut_after_a_failed_sync_loses_nothing"
FLIP = "test_damage.test_a_flipped_bit_at_any_byte_is_repaired"
JOURNAL = "/home/checkpoints/demo-20261123-173122-abcd/journal.jsonl"

MUTATIONS = [
    # what "written" means
    Mutation("disk", "while done < len(data):", "while False:", "test_faults.test_short_writes_are_continued"),
    Mutation("disk", "self._system.fdatasync(self.fd)", "pass", CUT, {"luck": "none"}),
    Mutation("disk", "self.system.fsync(fd)", "pass", CUT, {"luck": "none"}),
    Mutation("disk", "if self.broken:", "if False:", "test_faults.test_after_a_failed_write_or_sync_nothing_more_is_written", {"kind": "fdatasync"}),
    Mutation("disk", "            if sync:\n                file.sync()", "", CUT, {"luck": "none"}),
    Mutation("disk", "                self.sync_folder(path)", "                pass", CUT, {"luck": "none"}),
    Mutation("disk", "O_NOFOLLOW", "O_CLOEXEC", "test_lock.test_files_are_private_and_links_are_refused", {"tmp_path": 1}),
    Mutation("disk", "self.system.fchmod(fd, 0o600)", "pass", "test_lock.test_a_strict_umask_does_not_lock_us_out", {"tmp_path": 1}),
    Mutation("disk", "self.system.chmod(path, 0o700)", "pass", "test_lock.test_a_strict_umask_does_not_lock_us_out", {"tmp_path": 1}),
    # the journal
    Mutation("journal", "        self._journal.sync()\n", "", CUT, {"luck": "none"}),
    Mutation("journal", "        self._mirror.write(data)\n", "        self._mirror.size += len(data)\n", "test_damage.test_every_event_stands_in_two_files_when_an_append_returns"),
    Mutation("journal", "                self._mirror.sync()", "                pass", "test_damage.test_the_second_copy_is_on_disk_when_a_task_is_closed"),
    Mutation("journal", "        self._write(data)\n        self._journal.sync()\n", "        self._write(data)\n        self._mirror.write(data)\n        self._journal.sync()\n        self._mirror.size -= len(data)\n", CUT, {"luck": "random"}),
    Mutation("journal", "self._journal.truncate(self._journal.size)", "pass", "test_damage.test_room_written_ahead_is_cut_off"),
    Mutation("repair", "file.truncate(found.end.offset)", "pass", "test_damage.test_room_written_ahead_is_cut_off"),
    Mutation("journal", "        self._check_fence()\n", "", "test_lock.test_a_process_whose_journal_was_written_by_another_stops_writing"),
    Mutation("journal", "found.st_ino) != self._identity", "found.st_ino) == ()", "test_lock.test_a_process_whose_journal_was_replaced_stops_writing"),
    # the lock
    Mutation("lock", "if not disk.lock(file):", "if False:", "test_lock.test_a_second_open_in_one_process_is_refused"),
    Mutation("lock", "if not lock.is_ours():", "if False:", "test_lock.test_a_task_that_is_cleaned_away_while_it_is_opened_is_not_locked", {"tmp_path": 1}),
    # a line
    Mutation("record", "            and self._sum(line[:-19]) == line[-19:-3]\n            and line.endswith(b'\"}\\n')\n        )\n\n    def proves", "        )\n\n    def proves", FLIP, {"path": JOURNAL, "snapshots": False}),
    Mutation("record", "            and line[-44:-28] == prev\n", "", "test_record.test_a_line_follows_one_line_of_one_task_only"),
    Mutation("record", "            and self._sum(line[:-19]) == line[-19:-3]\n            and line.endswith(b'\"}\\n')\n        )\n\n    def _sum", "        )\n\n    def _sum", "test_damage.test_a_flip_in_both_copies_names_what_is_lost"),
    # recovery
    Mutation("recovery", "if digest.hexdigest() != anchor.sha256:", "if False:", "test_snapshots.test_a_snapshot_whose_journal_was_damaged_before_it_is_not_relied_on"),
    Mutation("recovery", "known, why = known_seq,", "known, why = 0,", "test_damage.test_a_snapshot_that_knows_more_than_the_journal_is_loud"),
    Mutation("recovery", "seq if mirrored else synced", "seq if mirrored else 0", "test_damage.test_the_same_hole_in_what_was_synced_is_loss"),
    Mutation("recovery", "seq if mirrored else synced", "synced", "test_damage.test_a_whole_line_in_the_second_copy_proves_that_it_was_on_disk"),
    Mutation("recovery", "if known <= end.seq and _spoilt_line(journal, end):", "if False:", "test_damage.test_a_spoilt_last_line_without_a_second_copy_is_refused"),
    Mutation("recovery", "if known <= end.seq and _begins_the_next(mirror, end):", "if False:", "test_damage.test_the_same_damage_to_both_copies_is_harmless_or_refused", {"name": "no newline at the end"}),
    Mutation("recovery", "if proven := _proven(codec, line):", "if proven := (codec.proves_itself(line) and line):", "test_damage.test_the_same_hole_in_what_was_synced_is_loss"),
    Mutation("recovery", "if end.seq == 0 and known == 0:", "if False:", "test_damage.test_the_same_damage_to_both_copies_is_harmless_or_refused", {"name": "empty"}),
    # repair
    Mutation("repair", "    _rewrite_last_batch(disk, found)\n", "", SYNC, {"luck": "none"}),
    Mutation("repair", "    done += _mend(disk, found, found.journal, truth)\n    _rewrite_last_batch(disk, found)\n    done += _mend(disk, found, found.mirror, truth)\n", "    done += _mend(disk, found, found.mirror, truth)\n    done += _mend(disk, found, found.journal, truth)\n", KILL, {"luck": "random"}),
    Mutation("repair", 'aside = keep_aside(disk, copy.path, "damaged")', "aside = None", "test_damage.test_a_flipped_bit_at_any_byte_is_repaired", {"path": JOURNAL, "snapshots": False}),
    Mutation("repair", "if found.loss is not None:", "if False:", "test_damage.test_a_flip_in_both_copies_names_what_is_lost"),
    # a task
    Mutation("task", "        self.values.sync_staged()\n        self._journal.append", "        self._journal.append", CUT, {"luck": "none"}),
    Mutation("task", "        disk.sync_folder(folder)  #", "        #", "test_damage.test_a_repair_that_was_not_synced_is_synced_by_the_next_one"),
    Mutation("manager", "            disk.sync_folder(aside)\n", "", CUT, {"luck": "random"}),
    Mutation("manager", "        disk.sync_folder(self.root)\n", "", CUT, {"luck": "none"}),
    Mutation("manager", "        self.disk.sync_folder(self.root)\n", "", SYNC, {"luck": "none"}),
    Mutation("manager", "            self.disk.sync_above(self.root)\n", "", CUT, {"luck": "none"}),
    Mutation("manager", "if found.st_uid != os.geteuid():", "if False:", "test_manager.test_a_folder_of_somebody_else_is_refused", {"tmp_path": 1}),
    Mutation("values", "        self._disk.sync_folder(self._folder)\n", "", CUT, {"luck": "none"}),
    Mutation("values", "return data is not None and sha256(data).hexdigest() == digest", "return data is not None", "test_damage.test_a_blob_spoilt_in_both_files_is_refused_when_it_is_read", {"how": "flipped"}),
    Mutation("values", "            self._write_copy(self._path(digest), data)\n", "            pass\n", "test_values.test_only_values_of_moderate_size_stand_twice"),
    Mutation("values", "        self._disk.sync_folder(self._folder)\n        for", "        for", "test_values.test_a_power_cut_leaves_no_copy_without_its_blob", {"luck": "random"}),
    Mutation("values", "                self._write_copy(path, data)\n", "                pass\n", "test_damage.test_a_spoilt_copy_is_written_anew_and_nobody_is_told", {"how": "flipped"}),
    Mutation("values", "                file.truncate(len(data))", "                pass", "test_damage.test_a_spoilt_copy_is_written_anew_and_nobody_is_told", {"how": "longer"}),
    Mutation("values", "            self._mend(path, data, copy, self.on_mend)", "            pass", "test_damage.test_a_spoilt_blob_is_mended_from_its_copy_where_it_is_read", {"how": "flipped"}),
    Mutation("values", 'keep_aside(self._disk, path, "damaged")', "None", "test_damage.test_a_spoilt_blob_is_mended_from_its_copy_where_it_is_read", {"how": "flipped"}),
    Mutation("values", "        if self.on_mend is not None:\n            self._mend(path, data, copy, self.on_mend)", "        self._mend(path, data, copy, self.on_mend or (lambda _: None))", "test_damage.test_a_value_is_read_from_its_copy_without_a_lock_and_nothing_is_changed"),
    Mutation("task", "        self.values.on_mend = None\n", "", "test_damage.test_a_process_that_let_go_of_the_task_mends_nothing"),
    Mutation("snapshots", "if not _is_sealed(data):", "if not data:", "test_damage.test_a_damaged_snapshot_is_ignored_and_kept"),
    Mutation("task", "if data is not None and sha256(data).hexdigest() == digest:", "if data is not None:", "test_damage.test_the_pinned_workflow_is_put_back", {"changed": b"name: other\n"}),
]  # fmt: skip


class Mutant(importlib.machinery.SourceFileLoader):
    """Loads one module of the store with the mutation in it."""

    mutation: Mutation

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text(encoding="utf-8")
        assert source.count(self.mutation.text) >= 1, f"not in the store: {self.mutation.text}"
        return compile(source.replace(self.mutation.text, self.mutation.instead), self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutation: Mutation) -> None:
        self.mutation = mutation

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != f"agentrun.store.{self.mutation.module}":
            return None
        file = str(STORE / f"{self.mutation.module}.py")
        loader = Mutant(fullname, file)
        loader.mutation = self.mutation
        return importlib.util.spec_from_file_location(fullname, file, loader=loader)


@contextmanager
def mutated(mutation: Mutation) -> Iterator[Callable[[Path], None]]:
    """Give the named test, with the store and the tests imported afresh around the mutation."""
    saved = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(FRESH)}
    finder = Finder(mutation)
    sys.meta_path.insert(0, finder)
    try:
        yield named_test(mutation)
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.startswith(FRESH)]:
            del sys.modules[name]
        sys.modules.update(saved)
        agentrun.store = saved["agentrun.store"]


def named_test(mutation: Mutation) -> Callable[[Path], None]:
    """Return the call of the test that must notice the mutation, in a folder of its own."""
    module, _, name = mutation.test.partition(".")
    test: Callable[..., None] = getattr(importlib.import_module(f"tests.store.{module}"), name)

    def call(folder: Path) -> None:
        folder.mkdir()
        given = {k: folder if k == "tmp_path" else v for k, v in mutation.arguments.items()}
        test(**given)

    return call


@pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=[f"{m.module}: {m.text.strip()[:50]}" for m in MUTATIONS]
)
def test_a_guard_that_is_taken_out_is_missed(mutation: Mutation, tmp_path: Path) -> None:
    with mutated(mutation) as test:
        try:
            test(tmp_path / "mutant")
        except (Exception, PowerCut, pytest.fail.Exception):
            return
    pytest.fail(f"nothing noticed that {mutation.text.strip()!r} is gone from {mutation.module}.py")


def test_with_every_guard_in_place_nothing_is_missed(tmp_path: Path) -> None:
    calls = {(m.test, *m.arguments.items()): named_test(m) for m in MUTATIONS}
    for number, call in enumerate(calls.values()):
        call(tmp_path / str(number))
