"""Finds the function that a `python` step names.

Owns both ways of naming one, `module:function` and `file.py:function`, and that a workflow's folder
comes first for its own modules, but never before the standard library: a file `json.py` beside a
workflow must not break agentrun itself. Refuses to call anything.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_Change = tuple[int, int]
_functions: dict[tuple[str, Path], tuple[Callable[..., Any], Path | None, _Change | None]] = {}
"""What was found before. What came of a file is found anew when the file was changed."""
_files: dict[Path, tuple[_Change, ModuleType]] = {}


def find_function(target: str, base_dir: Path) -> Callable[..., Any]:
    """Return the function. Raises what importing it raises, or an error that says what is wrong."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise ValueError(f"{target!r} is neither `module:function` nor `file.py:function`")
    if known := known_function(target, base_dir):
        return known
    _FolderFinder.install(base_dir)
    is_file = place.endswith(".py")
    module = _load_file(base_dir / place) if is_file else _import(place, base_dir)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise AttributeError(f"{place} has no function {name!r}{_near(name, module)}") from None
    if not callable(found):
        raise TypeError(f"{target} is not a function but of type {type(found).__name__}")
    function: Callable[..., Any] = found
    own_file = base_dir / place if is_file else None
    change = _files[own_file][0] if own_file else None
    _functions[target, base_dir] = function, own_file, change
    return function


def known_function(target: str, base_dir: Path) -> Callable[..., Any] | None:
    """Return the function if it was found before and its file is unchanged."""
    found = _functions.get((target, base_dir))
    if found is None:
        return None
    function, file, changed = found
    return function if file is None or _last_change(file) == changed else None


def _import(name: str, base_dir: Path) -> ModuleType:
    module = importlib.import_module(name)
    top = sys.modules[name.partition(".")[0]]
    own = _in_folder(top.__name__, base_dir)
    loaded = getattr(top.__spec__, "origin", None)
    if own and own.origin and loaded and not _same(own.origin, loaded):
        raise ImportError(
            f"{top.__name__!r} means {own.origin} here, but another module of that name is in use"
            f" ({loaded}); rename it, or write the target as `{top.__name__}.py:function`"
        )
    return module


def _load_file(path: Path) -> ModuleType:
    """Load a file under a name of its own; again only after it was changed."""
    changed, named = _last_change(path), path
    known = _files.get(named)
    if known is None or known[0] != changed:
        path = path.resolve()  # one file is one module, whatever leads to it
        known = _files.get(path)
    if known and known[0] == changed:
        _files[named] = known
        return known[1]
    name = f"agentrun_file_{abs(hash(path)):x}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} can't be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    with ExitStack() as undo:
        sys.modules[name] = module  # dataclasses and pickle look their module up
        undo.callback(sys.modules.pop, name)
        spec.loader.exec_module(module)
        undo.pop_all()
    _files[path] = _files[named] = (changed, module)
    return module


def _last_change(path: Path) -> _Change:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path.resolve()}") from None
    return status.st_ino, status.st_mtime_ns


def _near(name: str, module: ModuleType) -> str:
    import difflib

    near = difflib.get_close_matches(name, [n for n in dir(module) if not n.startswith("_")], 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _in_folder(name: str, folder: Path) -> ModuleSpec | None:
    if name in sys.stdlib_module_names or name == "agentrun":
        return None
    return PathFinder.find_spec(name, [str(folder)])


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return one == other


class _FolderFinder:
    """Finds top-level modules in a workflow's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def install(cls, folder: Path) -> None:
        if not any(isinstance(it, cls) and it.folder == folder for it in sys.meta_path):
            importlib.invalidate_caches()
            sys.meta_path.insert(0, cls(folder))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if path is not None else _in_folder(name, self.folder)
