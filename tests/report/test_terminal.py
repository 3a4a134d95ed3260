from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.report.terminal import safe, safe_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("photos 2014 (copy).tar", "photos 2014 (copy).tar"),
        ("Žluťoučký kůň, 写真, صور, 🧊", "Žluťoučký kůň, 写真, صور, 🧊"),
        # moves the cursor, rewrites lines already read
        ("\x1b[2J\x1b[H0 archives", "\\x1b[2J\\x1b[H0 archives"),
        ("failed\rdeleted", "failed\\rdeleted"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("abc\x08\x08\x08xyz", "abc\\x08\\x08\\x08xyz"),
        ("\x7f\x00\x07", "\\x7f\\x00\\x07"),
        # C1 controls, which many terminals obey as ESC sequences
        ("\x9b2J \x9d52;c;ZXZpbA==\x9c \x85", "\\x9b2J \\x9d52;c;ZXZpbA==\\x9c \\x85"),
        # clipboard, hyperlink, window title
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x1b]8;;http://evil.example\x1b\\ok", "\\x1b]8;;http://evil.example\\x1b\\ok"),
        # text that reads differently from what it is
        ("photos\u202egnp.exe", "photos\\u202egnp.exe"),
        ("\u2066x\u2069\u200f\u061c", "\\u2066x\\u2069\\u200f\\u061c"),
        ("pho\u200btos\u200d\ufeff\u2060", "pho\\u200btos\\u200d\\ufeff\\u2060"),
        ("a\u00adb\u180ec\ufe0f", "a\\xadb\\u180ec\\ufe0f"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("wide\u3000no-break\u00a0thin\u2009", "wide\\u3000no-break\\xa0thin\\u2009"),
        ("filler\u3164\u115f\u2800", "filler\\u3164\\u115f\\u2800"),
        ("tag\U000e0041 selector\U000e0101", "tag\\U000e0041 selector\\U000e0101"),
        # no characters at all
        ("\ud83d lone", "\\ud83d lone"),
        ("\ue000\U0010ffff\u0378", "\\ue000\\U0010ffff\\u0378"),
    ],
)
def test_what_is_not_plainly_visible_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text(st.characters()))
def test_a_terminal_only_displays_what_comes_out(text: str) -> None:
    shown = safe(text)
    assert all(unicodedata.category(character)[0] not in "CZ" or character == " " for character in shown)
    assert safe(shown) == shown
    shown.encode("utf-8")


def test_messages_of_our_own_keep_their_lines() -> None:
    assert safe_lines("first\nsec\x1bond\r\n") == "first\nsec\\x1bond\\r\n"
