"""Record the README's picture: a real ``demo`` on a terminal, drawn by rich as one SVG that plays (``make recording``).

What rich's live display sends is text, carriage returns, "erase this line" and "up a line", so a list of lines is
terminal enough.  Each screen kept is one of a column of screens in the SVG, and a style of steps moves from one to the
next; who asks for less motion sees the last.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from io import StringIO
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import MONOKAI

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "purge.svg"
COLUMNS, ROWS = 100, 20
BURST = 12
"""So many new lines at a time are shown of text that comes at once, as somebody reads it."""
SCREENS_MAX = 14
SECONDS_A_SCREEN = 1.1
COMMAND = ("demo", "--archives", "5000", "--run-dir", "photos-run")
_SENT = re.compile(r"\r\n|\r|\x1b\[2K|\x1b\[1A|\x1b\[\?25[hl]|[^\r\x1b]+|\x1b\[[0-9;]*m")
_LINE_HEIGHT = 24.4  # rich's: 20 px a character, and 1.22 of it a line


class Screen:
    """The lines that a terminal shows, with their colours as they were sent."""

    def __init__(self) -> None:
        self.lines = [""]
        self._row = 0

    def show(self, sent: str) -> None:
        """Take what a program sends."""
        for part in _SENT.findall(sent):
            if part == "\r\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif part == "\x1b[2K":
                self.lines[self._row] = ""
            elif part == "\x1b[1A":
                self._row -= 1
            elif part != "\r" and not part.startswith("\x1b[?"):
                self.lines[self._row] += part


def sent_by(folder: str) -> list[str]:
    """Run the command on a terminal; return what it sends, read by read."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS + 20, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "glacier_purge", *COMMAND],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", "HOME": folder},
    )
    os.close(slave)
    reads = []
    while True:
        try:
            reads.append(os.read(master, 65536).decode())
        except OSError:  # how Linux says that nobody holds the other end any more
            break
    os.close(master)
    if process.wait() != 0:
        raise SystemExit(f"the command ended with {process.returncode}:\n{''.join(reads)}")
    return reads


def screens(reads: list[str]) -> list[list[str]]:
    """What was to be seen one after the other, the last one for twice as long, with no more of them than are wanted."""
    screen = Screen()
    screen.show(f"$ glacier-purge {' '.join(COMMAND)}\r\n")
    seen: list[list[str]] = []
    told = 0
    for sent in reads:
        screen.show(sent)
        lines = [*screen.lines[:-1], *filter(None, screen.lines[-1:])]
        seen += [lines[:end][-ROWS:] for end in [*range(told + BURST, len(lines), BURST), len(lines)]]
        told = len(lines)
    step = max(1, -(-len(seen) // SCREENS_MAX))
    return [*seen[:-1:step], seen[-1], seen[-1]]


def drawn(shown: list[list[str]]) -> str:
    """All screens as one SVG."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
    decoder = AnsiDecoder()
    for lines in shown:
        for line in [*lines, *[""] * (ROWS - len(lines))]:
            console.print(decoder.decode_line(line), no_wrap=True, overflow="crop")
    picture = console.export_svg(title="glacier-purge", theme=MONOKAI, unique_id="purge", font_aspect_ratio=0.61)
    return played(picture, len(shown))


def played(picture: str, count: int) -> str:
    """Make a tall picture of ``count`` screens one screen high that plays them."""
    hidden = (count - 1) * ROWS * _LINE_HEIGHT
    style = (
        f"@keyframes play {{ to {{ transform: translateY(-{count * ROWS * _LINE_HEIGHT:g}px) }} }}\n"
        f"    .purge-matrix {{ animation: play {count * SECONDS_A_SCREEN:g}s steps({count}) infinite }}\n"
        "    @media (prefers-reduced-motion: reduce) "
        f"{{ .purge-matrix {{ animation: none; transform: translateY(-{hidden:g}px) }} }}\n    </style>"
    )
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("</style>", style, 1)
    # Lines are cut to the width before they are drawn, so none needs a clip path; and a blank is shorter as itself.
    picture = re.sub(
        r'<clipPath id="purge-line-.*?</clipPath>\n?| clip-path="url\(#purge-line-\d+\)"', "", picture, flags=re.DOTALL
    )
    picture = picture.replace("&#160;", "\u00a0")
    for found in set(re.findall(r'(?:viewBox="0 0 \S+ |<rect [^>]*height=")([\d.]+)"', picture)):
        if float(found) > hidden:
            picture = picture.replace(f'{found}"', f'{float(found) - hidden:.1f}"')
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def main() -> None:
    """Write the picture again."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(drawn(screens(sent_by(folder))), "utf-8")
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
