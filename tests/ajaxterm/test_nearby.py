"""
Tests for L{ajaxterm.nearby}: that what was made anew is what it was.
"""

from __future__ import annotations

import sys
import weakref
from types import CodeType, FunctionType, ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.nearby import code_at, fill_holes, lay_together, place_of, strings_of

SOURCE = '''
import dataclasses

def plain(a, b=2, *, c: int = 3) -> tuple:
    """Said."""
    return a, b, c, [each + 1 for each in (1, 2)], b"bytes", 1.5, "not a name"

plain.marked = True

def around():
    held = []
    def within(word):
        held.append(word)
        return len(held)
    return within

counted = around()

def cold():
    return plain

class Base:
    def said(self):
        return "base"

class Thing(Base):
    def said(self):
        return "thing of " + super().said()

    @property
    def value(self):
        return 42

    @classmethod
    def kind(cls):
        return cls.__name__

    @staticmethod
    def fixed():
        return "fixed"
'''


class LayTogetherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.module = ModuleType("ajaxterm_test_nearby")
        sys.modules[self.module.__name__] = self.module
        self.addCleanup(sys.modules.pop, self.module.__name__)
        exec(compile(SOURCE, "<nearby>", "exec"), self.module.__dict__)
        self.there: Any = self.module

    def hot(self) -> set[CodeType]:
        """
        @return: the code of everything there but C{cold}.
        """
        there = self.there
        functions = [there.plain, there.around, there.counted, there.Base.said, there.Thing.said]
        functions += [there.Thing.value.fget, there.Thing.kind.__func__, there.Thing.fixed]
        return {each.__code__ for each in functions}

    def everything(self) -> list[Any]:
        there = self.there
        return [
            there.plain(1, c=9),
            there.cold()(0),
            there.Thing().said(),
            there.Thing().value,
            there.Thing.kind(),
            there.Thing.fixed(),
        ]

    def test_same(self) -> None:
        """
        Functions, methods, properties and closures do what they did, and bear what they
        bore; their code is another object.
        """
        before, code = self.everything(), self.there.plain.__code__
        self.assertEqual(self.there.counted("a"), 1)

        self.kept = lay_together(self.hot())

        plain: FunctionType = self.there.plain
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.there.counted("b"), 2)
        self.assertIsNot(plain.__code__, code)
        self.assertEqual(plain.__code__.co_consts, code.co_consts)
        self.assertEqual((plain.__doc__, plain.__kwdefaults__), ("Said.", {"c": 3}))
        self.assertTrue(plain.marked)  # type: ignore[attr-defined]
        self.assertEqual(plain.__module__, self.module.__name__)

    def test_old_ones_run_the_new_code(self) -> None:
        """
        Who holds a function goes on with it.
        """
        held, cold = self.there.plain, self.there.cold.__code__

        self.kept = lay_together(self.hot())

        self.assertIsNot(held, self.there.plain)
        self.assertIs(held.__code__, self.there.plain.__code__)
        self.assertIs(self.there.cold.__code__, cold)

    def test_proxy(self) -> None:
        """
        What only stands for something else, which may be gone, is not asked what it is.
        """
        gone = weakref.proxy(self.there.Thing())

        self.kept = lay_together(self.hot())

        self.assertRaises(ReferenceError, str, gone)

    def test_they_lie_together(self) -> None:
        """
        What was made anew is on fewer pages.
        """
        hot = {
            each.__code__
            for name, module in list(sys.modules.items())
            if name.startswith("twisted.") and isinstance(module, ModuleType)
            for each in list(vars(module).values())[::5]
            if isinstance(each, FunctionType) and each.__module__ == name
        }

        def pages() -> int:
            return len({id(each) >> 12 for each in functions})

        functions = [
            each
            for name, module in list(sys.modules.items())
            if name.startswith("twisted.") and isinstance(module, ModuleType)
            for each in vars(module).values()
            if isinstance(each, FunctionType) and each.__code__ in hot
        ]
        before, wanted = pages(), [(each.__module__, each.__name__) for each in functions]

        self.kept = lay_together(hot)

        functions = [vars(sys.modules[module])[name] for module, name in wanted]
        self.assertLess(pages(), before / 2)


class StringsTests(SynchronousTestCase):
    def test_names(self) -> None:
        """
        What code knows by name: globals, attributes, constants, and those of a call.
        """

        def one() -> Any:
            return str.maketrans("constant", ("in", "tuple")[0], *sys.path)  # type: ignore[call-overload]

        self.assertLessEqual(
            {"one", "str", "maketrans", "constant", "sys", "path"}, strings_of({one.__code__})
        )

    def test_text(self) -> None:
        """
        What is no name is no object that others share, so it does not matter here.
        """

        def one() -> Any:
            """Said of it."""
            return "two words"

        self.assertEqual({each for each in strings_of({one.__code__}) if " " in each}, set())


class PlacesTests(SynchronousTestCase):
    def test_found(self) -> None:
        """
        Code is found by where it is, that of functions within functions too.
        """
        within = [
            each
            for each in self.test_another.__func__.__code__.co_consts  # type: ignore[attr-defined]
            if isinstance(each, CodeType)
        ]

        self.assertEqual(code_at([place_of(each) for each in within]), set(within))
        self.assertEqual(len(within), 1)

    def test_another(self) -> None:
        """
        Of two on one line each has its name.
        """
        one, other = (lambda: 1), self.test_found

        self.assertNotEqual(place_of(one.__code__), place_of(other.__func__.__code__))  # type: ignore[attr-defined]


class HolesTests(SynchronousTestCase):
    def test_filled(self) -> None:
        """
        There is something of each size; afterwards what is made lies on one page or two.
        """
        self.kept = fill_holes()

        made = [bytes(400) for _ in range(8)]

        filled = [len(each) for each in self.kept[0] if isinstance(each, bytes)]
        self.assertGreater(len(set(filled)), 10)
        self.assertLessEqual(len({id(each) >> 14 for each in made}), 2)

    def test_large(self) -> None:
        """
        So does what is larger than those, also where there were holes for it.
        """
        scattered = [bytes(length) for length in range(600, 60_000, 600)]
        del scattered[1::2]
        self.kept = fill_holes()

        made = [bytes(3000) for _ in range(8)]

        self.assertLess(max(map(id, made)) - min(map(id, made)), 8 * 4096)
