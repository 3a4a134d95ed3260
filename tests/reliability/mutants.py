"""Mutants: a module with one small mistake in it, of the kinds that people make.

A comparison one too wide or turned round, a number off by one, plus for minus, and for or, a branch swapped, a result
or a call forgotten.  Texts are left alone, and so is what only says why something is refused: a message has no right
answer.  So are assertions, which no test can reach as long as everything else is right.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TURNED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: its line and function, what was written, what is written instead, and the whole module with it."""

    line: int
    where: str
    was: str
    instead: str
    source: str

    @property
    def name(self) -> str:
        """What it is called by: no line number, which every edit above would change."""
        return f"{self.where}: {self.was} -> {self.instead}"


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    lines = source.encode().splitlines(keepends=True)
    starts = list(accumulate(map(len, lines), initial=0))
    found = []
    for node, where in _looked_at(ast.parse(source), "module"):
        for replaced, instead in _changes(node):
            assert replaced.end_lineno is not None
            assert replaced.end_col_offset is not None
            begin = starts[replaced.lineno - 1] + replaced.col_offset
            end = starts[replaced.end_lineno - 1] + replaced.end_col_offset
            text = source.encode()
            mutated = (text[:begin] + instead.encode() + text[end:]).decode()
            found.append(Mutant(replaced.lineno, where, _short(ast.unparse(replaced)), _short(instead), mutated))
    return sorted(found, key=lambda mutant: mutant.line)


def _looked_at(node: ast.AST, where: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Each expression and statement that decides something, with the function that it is in."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        where = node.name
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "keywords"} and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.JoinedStr, ast.Assert, ast.Raise, ast.Import)):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, (ast.expr, ast.stmt)):
                yield child, where
            yield from _looked_at(child, where)


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What may be written instead of a node or a part of it: that part, and the text."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=right):
            for turned in _TURNED[type(operator)]:
                yield node, _text(ast.Compare(left, [turned()], right))
        case ast.BoolOp(op=operator, values=values):
            yield node, _text(ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _RECKONED:
            if not any(_is_text(side) for side in (left, right)):
                yield node, _text(ast.BinOp(left, _RECKONED[type(operator)](), right))
        case ast.AugAssign(target=target, op=operator, value=value) if type(operator) in _RECKONED:
            yield node, ast.unparse(ast.AugAssign(target, _RECKONED[type(operator)](), value))
        case ast.Constant(value=bool() as truth):
            yield node, str(not truth)
        case ast.Constant(value=int() | float() as number):
            yield node, repr(number + 1)
        case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
            yield value, "None"
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield test, f"(not {_text(test)})"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield node, "..."
        case _:
            return


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


def _is_nothing(node: ast.expr) -> bool:
    """Whether it is None already, or False, from which hardly anybody can tell None."""
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)


def _is_text(node: ast.expr) -> bool:
    """Whether it is plain that something else than a number is put together."""
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple, ast.Dict)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _short(text: str) -> str:
    first, *more = text.splitlines()
    return first[:120] + (" ..." if more or len(first) > 120 else "")
