"""Texts that somebody would like to see printed, and what must never come out of them."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from itertools import chain

_CONTROLS = [f"a{chr(code)}b" for code in chain(range(0x20), range(0x7F, 0xA0))]
_TERMINAL = [
    "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x9b31mred", "\x1bP$q\"p\x1b\\", "\x1b[6n", "\x1b[?1049h", "\r\x1b[Aover", "\x1b]1337;File=:AAAA\x07",
    "a\bb\b\b", "\x1b[8mhidden", "\x0e\x0f", "line\rover", "\x1b", "\x1b[", "\x85next", "\u2028line\u2029par",
]  # fmt: skip
_UNSEEN = [
    "\u202egnp.exe", "\u2066a\u2069", "\u200bzero\u200c\u200d", "\ufeffmark", "\u00adsoft",
    "\u2060join", "\u061c",
    "\U000e0041\U000e007f", "\u115f\u3164\uffa0", "\u2800\u2800", "\ufe0f\ufe00", "a\u034fb",
    "\ud800", "x\udcffy",
    "\udbff\udfff", "\U0010ffff", "\ue000", "\u0000",
    "e\u0301\u0301" * 20, "\u05e9\u05dc\u05d5\u05dd", "\u0639\u0631\u0628",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\u0430dmin", "\u212a",
]  # fmt: skip
_FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=HYPERLINK(\"http://evil\")",
    "\uff1d1+1", "\uff0b1", "\uff0d1",
    "\uff20x", "=cmd|' /C calc'!A0", "';=1", "\"=1", ",=1", "\",\"=1", "a,b\n=1", " =1",
    "\u00a0=1", "|x", "%0A=1",
]  # fmt: skip
_MARKUP = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "</td></tr>",
    "<!--", "]]>", "javascript:x",
    "[bold red]rich[/bold red]", "[/]", "[link=http://evil]x[/link]", ":smile:", "**bold**",
    "`rm -rf`", "\\[x]", "{{7*7}}",
]  # fmt: skip
_CODE = [
    "%s%s%n", "{0.__class__}", "{}", "%(name)s", "${HOME}", "$(id)", "`id`", "; rm -rf /",
    "| cat", "../../etc/passwd",
    "/dev/zero", "a/b", "..", ".", "-", "--help", "--", "~root", "con", "a\nSet-Cookie: x",
    "x\r\nHost: evil", "'; DROP--",
    "\\x1b[2J", "\\u001b", "%1b%5b2J", "\\", "\"", "'", "a" * 70_000, " " * 500, "null", "NaN",
    "1e999", "0x1b",
]  # fmt: skip

HOSTILE = tuple(dict.fromkeys([*_CONTROLS, *_TERMINAL, *_UNSEEN, *_FORMULAS, *_MARKUP, *_CODE]))

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def check_for_terminal(text: str) -> None:
    """Nothing in it but what is seen, and ends of lines."""
    bad = [
        repr(character) for character in set(text) if character != "\n" and unicodedata.category(character) in _UNSAFE
    ]
    assert not bad, f"for a terminal: {bad} in {_around(text, bad[0])}"


def check_json(text: str) -> None:
    """One document, in ASCII, without a control character but DEL, which JSON leaves and no screen obeys."""
    assert text.isascii(), f"JSON that is not ASCII: {_around(text, '')}"
    json.loads(text)
    check_for_terminal(text.replace("\x7f", ""))


def check_csv(text: str) -> None:
    """No cell of it is a formula, and nothing in it is a command."""
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            assert not _FORMULA.match(cell) or _NUMBER.fullmatch(cell), f"a formula: {cell[:80]!r}"
            check_for_terminal(cell)


def _around(text: str, bad: str) -> str:
    return repr(text[:400]) if len(text) < 400 or not bad else repr(text[:200])
