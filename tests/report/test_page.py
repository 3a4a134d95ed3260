"""Long lines on a terminal are broken between words, below where their text began."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.report.terminal import fitted


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("why     a line that is short enough", "why     a line that is short enough"),
        ("why     somebody paused it and went away again", "why     somebody paused it and went away\n        again"),
        (
            "          do:  find out who it is and stop it",
            "          do:  find out who it is and\n               stop it",
        ),
        ("          why: find out who it is and stop it", "          why: find out who it is and\n          stop it"),
        ("Forecast, if it began now; nobody knows any limit", "Forecast, if it began now; nobody knows\n  any limit"),
        ("digest  " + 40 * "f" + " is left alone", "digest  " + 40 * "f" + " is left alone"),
        ("go on with: glacier-purge apply runs/photos --x", "go on with: glacier-purge apply runs/photos --x"),
        ("", ""),
    ],
)
def test_a_long_line_goes_on_below_its_text(line: str, shown: str) -> None:
    assert fitted(line, 40) == shown
    assert fitted(f"{line}\n{line}", 40) == f"{shown}\n{shown}"


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "Zs"])), st.integers(1, 100))
def test_no_word_is_lost_or_cut(text: str, columns: int) -> None:
    assert fitted(text, columns).split() == text.split()
