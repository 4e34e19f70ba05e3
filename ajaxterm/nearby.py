"""
Lays what runs together in memory.

A forked process gets a copy of each page that it writes to, and Python writes to whatever it
touches: a function that runs has its reference count changed, and its code's.  These lie
where the import of their module put them, one here and one there among what never
runs, so a child that runs a few hundred functions would copy most of the heap.
Made anew one after the other, they fill a few pages.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_CLASS = re.compile(r"^ *\d+ +(\d+) +\d+ +\d+ +(\d+)$", re.MULTILINE)

_BORNE = (
    "__kwdefaults__",
    "__type_params__",
    # From Python 3.14 on what annotates is there, and what it gives may not be had.
    "__annotate__" if sys.version_info >= (3, 14) else "__annotations__",
)

BEHIND = 48
"""Bytes of a block that C{bytes} and the C library have for themselves, at most."""

LARGEST = 1 << 16
"""Bytes of the largest hole that is looked for; where larger ones are, there are few."""

SMALLEST = 16
"""Bytes of the smallest block that Python's allocator gives."""


class _MallInfo(ctypes.Structure):
    """C{mallinfo2(3)}."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def lay_together(code: set[CodeType]) -> list[object]:
    """
    Make functions whose code is among C{code} anew, next to each other.

    Where they are named by modules and classes, the new ones take their place; who
    else holds an old one goes on with it, and it runs the new code.

    @return: what must be kept, as it fills the holes that what is
        made later would otherwise be scattered over.
    """
    kept: list[object] = [fill_holes()]
    wanted = {id(each) for each in code}

    def is_hot(one: CodeType) -> bool:
        return id(one) in wanted or any(is_hot(inner) for inner in _inner(one))

    def made_anew(one: CodeType) -> CodeType:
        consts = tuple(
            made_anew(each) if isinstance(each, CodeType) and is_hot(each) else _copy(each)
            for each in one.co_consts
        )
        return one.replace(co_consts=consts, co_qualname=_copy(one.co_qualname))

    old = [each for each in gc.get_objects() if type(each) is FunctionType]
    hot = [each for each in old if is_hot(each.__code__)]
    hot.sort(key=lambda each: (each.__module__ or "", each.__code__.co_firstlineno))
    anew: dict[CodeType, CodeType] = {}
    for function in hot:
        before = function.__code__
        if before not in anew:
            anew[before] = made_anew(before)
        function.__code__ = anew[before]
    # What is only handed on, as a callback, is touched as well.
    names, modules = strings_of(code), {each.__module__ for each in hot}
    named = [each for each in old if each.__name__ in names and each.__module__ in modules]
    touched = {id(each): each for each in hot + named}
    _replace({number: _again(each) for number, each in touched.items()})
    return [*kept, *touched.values()]


def strings_of(code: set[CodeType]) -> set[str]:
    """
    @return: the names that C{code} knows.  Python keeps one object of each, so where
        these lie is decided by who names them first: see L{ajaxterm.scouting}.
    """
    found: set[str] = set()
    for one in code:
        found.update((one.co_name, *one.co_names, *one.co_varnames))
        found.update((*one.co_cellvars, *one.co_freevars))
        for const in one.co_consts:
            for each in const if type(const) is tuple else (const,):
                if type(each) is str and each.isidentifier():
                    found.add(each)
    return found


def place_of(code: CodeType) -> str:
    """
    @return: what C{code} has in common with the same code in another process.
    """
    return f"{code.co_filename}:{code.co_firstlineno}:{code.co_qualname}"


def code_at(places: Collection[str]) -> set[CodeType]:
    """
    @return: of what is loaded, the code that is at one of C{places}.
    """
    found: set[CodeType] = set()
    to_see = [each.__code__ for each in gc.get_objects() if type(each) is FunctionType]
    while to_see:
        code = to_see.pop()
        to_see += _inner(code)
        if place_of(code) in places:
            found.add(code)
    return found


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (each for each in code.co_consts if isinstance(each, CodeType))


def _copy(const: Any) -> Any:
    """
    @return: an equal one, in memory of its own, where there can be two.
    """
    if type(const) is str and not const.isidentifier():  # of which there is one, see strings_of
        return "".join(list(const))
    if type(const) is bytes:
        return bytes(bytearray(const))
    if type(const) is float:
        return const * 1.0
    if type(const) is tuple:
        return tuple([_copy(each) for each in const])
    return const


def _again(old: FunctionType) -> FunctionType:
    new = FunctionType(
        old.__code__, old.__globals__, old.__name__, old.__defaults__, old.__closure__
    )
    for name in _BORNE:
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))
    new.__dict__.update(old.__dict__)
    new.__doc__ = old.__doc__
    new.__module__ = old.__module__
    new.__qualname__ = old.__qualname__
    return new


def _replace(anew: dict[int, FunctionType]) -> None:
    """@param anew: by the id() of the old one."""
    for holder in gc.get_objects():
        # Not isinstance(), which asks a proxy what it stands for.
        if issubclass(type(holder), (type, ModuleType)):
            for name, value in list(vars(holder).items()):
                instead = _instead(value, anew)
                if instead is not value and (type(value) is FunctionType or name[:2] != "__"):
                    setattr(holder, name, instead)


def _instead(value: Any, anew: dict[int, FunctionType]) -> Any:
    if type(value) in (staticmethod, classmethod) and id(value.__func__) in anew:
        return type(value)(anew[id(value.__func__)])
    if type(value) is property and any(id(each) in anew for each in (value.fget, value.fset)):
        parts: list[Any] = [anew.get(id(each), each) for each in (value.fget, value.fset)]
        return property(parts[0], parts[1], value.fdel, value.__doc__)
    return anew.get(id(value), value)


def fill_holes() -> list[list[object]]:
    """
    @return: as many objects as there were free blocks among those in use,
        so that what is made from now on lies together.
    """
    # Two lists: making one of them would leave a hole again.
    return [_fill_small_holes(), _fill_large_holes()]


def _fill_large_holes() -> list[object]:
    # What is larger than 512 bytes comes from the C library, whose holes we can't see, but
    # whether it had to take new memory.
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return []  # musl, or glibc before 2.33
    libc.mallinfo2.restype = _MallInfo
    libc.sbrk.restype = ctypes.c_void_p
    fresh = libc.sbrk(0) - libc.mallinfo2().keepcost
    filled: list[object] = []
    for size in (*range(LARGEST, 4096, -1024), *range(4096, 512, -16)):
        while id(block := bytes(size - BEHIND)) < fresh:
            filled.append(block)
    return filled


def _fill_small_holes() -> list[object]:
    with tempfile.TemporaryFile() as said:
        kept = os.dup(2)
        sys.stderr.flush()
        os.dup2(said.fileno(), 2)
        try:
            sys._debugmallocstats()  # it knows no other place to say it
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        said.seek(0)
        words = said.read().decode("ascii", "replace")
    empty = sys.getsizeof(b"")
    return [
        bytes(int(size) - empty) if int(size) > empty else object()
        for size, free in _CLASS.findall(words)
        for _ in range(int(free))
    ]
