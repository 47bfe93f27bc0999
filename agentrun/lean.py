"""Keeps a short run from loading what it never uses.

Owns two ways to put something off: a module of the standard library that asyncio imports and a run
of shell commands never touches (`defer`), and a collaborator that most tasks never ask
(`on_demand`). Both are invisible: at the first use the real thing is there. Also keeps the garbage
collector off what is loaded (`loaded`, `leave`). Together that is half of a one-step run. Refuses
to put off anything that every run uses.
"""

import gc
import sys
from _thread import RLock
from collections.abc import Callable
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, TypeVar, cast

T = TypeVar("T")

SELDOM = ("inspect", "ipaddress", "json", "linecache", "locale", "msgspec", "ssl", "textwrap")
"""What asyncio, logging, pathlib and we import at the top and use in few functions."""
SELDOM_OF_ASYNCIO = ("asyncio.sslproto",)
LEFT_OUT = {"msgspec": "typing_extensions"}
"""msgspec takes from it what `typing` has since Python 3.11, for 9 ms."""

_lock = RLock()
_loading: list[ModuleType] = []


class _Deferred(ModuleType):
    """A module that is loaded when something in it is first asked for, by whichever thread.

    Not `importlib.util.LazyLoader`: before Python 3.12 the second `import` of the module loads it,
    and two threads may load it at once.
    """

    def __getattr__(self, name: str) -> Any:
        if name != "__path__":  # asked by `from x import y`; a package has it
            with _lock:
                if type(self) is _Deferred and self not in _loading:
                    _load(self)
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


def _load(module: ModuleType) -> None:
    assert module.__spec__ is not None
    assert module.__spec__.loader is not None
    _loading.append(module)
    absent = LEFT_OUT.get(module.__name__, "")
    absent = "" if absent in sys.modules else absent
    if absent:
        sys.modules[absent] = None  # type: ignore[assignment]  # Python's "not installed"
    try:
        module.__spec__.loader.exec_module(module)
        module.__class__ = ModuleType
    finally:
        _loading.remove(module)
        if absent:
            del sys.modules[absent]


def prepare() -> None:
    """Put off what a short run does not need. Call this before asyncio and msgspec are imported."""
    gc.disable()  # until `loaded`: what modules are made of is no garbage
    for name in SELDOM:
        defer(name)
    package = PathFinder.find_spec("asyncio")
    for name in SELDOM_OF_ASYNCIO:
        defer(name, package and package.submodule_search_locations)


def loaded() -> None:
    """Say that the work begins: from now on collect garbage, but only among new objects."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def leave() -> None:
    """Say that the process is about to end: what it holds need not be searched for garbage."""
    gc.disable()
    gc.freeze()


def defer(name: str, path: Any = None) -> None:
    """Have a module loaded at its first use. One that is loaded, or can't be found, is left."""
    if name in sys.modules:
        return
    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.loader is None:
        return
    module = _Deferred(name)
    module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
    module.__file__ = spec.origin
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    sys.modules[name] = module


def on_demand(make: Callable[[], T]) -> T:
    """Return what stands for `make()` until something of it is used, and then is it."""
    return cast("T", _OnDemand(make))


class _OnDemand:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)
