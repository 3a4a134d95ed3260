"""Mutants are what people get wrong, each one mistake, and never what no test can see."""

from __future__ import annotations

import ast

import pytest

from tests.reliability.mutants import mutants_of


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["a < b -> (a <= b)", "a < b -> (a >= b)"]),
        ("x = a is None", ["a is None -> (a is not None)"]),
        ("x = a and b and c", ["a and b and c -> (a or b or c)"]),
        ("x = a + 1", ["a + 1 -> (a - 1)", "1 -> 2"]),
        ("x += 8", ["x += 8 -> x -= 8", "8 -> 9"]),
        ("x = True", ["True -> False"]),
        ("if a:\n    b()\nelse:\n    c()", ["a -> (not (a))", "b() -> ...", "c() -> ..."]),
        ("x = b if a else c", ["a -> (not (a))"]),
        ("def f(a: Literal[1] = 2) -> int:\n    return a", ["2 -> 3", "a -> None"]),
        ("async def f():\n    await g(7)", ["await g(7) -> ...", "7 -> 8"]),
        ("def f():\n    return None", []),
        ("x = 'text' + b", []),
        ("x = f'{a + 1}'", []),
        ("assert a < b", []),
        ("raise Wrong(1 + 2)", []),
        ("if TYPE_CHECKING:\n    x = 1", []),
    ],
)
def test_what_is_mutated(source: str, expected: list[str]) -> None:
    assert [mutant.name.partition(": ")[2] for mutant in mutants_of(source)] == expected


def test_a_mutant_is_the_module_with_one_mistake_in_it() -> None:
    source = "é = 'ü'  # äö\n\ndef f(a):\n    if (a >\n        3):  # kept\n        return a * 2\n    return 0\n"
    for mutant in mutants_of(source):
        ast.parse(mutant.source)
        assert mutant.source != source
        assert mutant.source.startswith("é = 'ü'  # äö\n\ndef f(a):\n")
        assert "# kept" in mutant.source
    assert {mutant.where for mutant in mutants_of(source)} == {"f"}
    assert [mutant.line for mutant in mutants_of(source)] == [4, 4, 4, 5, 6, 6, 6, 7, 7]
