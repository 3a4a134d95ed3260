"""Files that people give: inventories, lists of ids, manifests, settings, fleets, prices.

They were exported, mailed, downloaded, saved by an editor or redirected by a shell, and not everything that lies under
such a name is the UTF-8 text that is read here.  What it is instead, its first bytes say, and that is what people are
told; a mark before the text, which Windows' programs write, is no fault.  A folder or a device in a file's place is
refused when it is opened, and what is read whole is read up to a limit, so that ``/dev/zero`` fills no memory.  Pipes
are files like others: ``--ids <(command)``.

Nothing is known here of what the text should say.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from codecs import BOM_UTF8
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from glacier_purge.host_faults import if_the_host_fails

TEXT_BYTES_MAX = 16 * 1024 * 1024
"""The longest text that is read whole: a fleet of a hundred thousand vaults, each with an entry of its own."""

_TOML_NAME_PARTS_MAX = 64
_LONG_TOML_NAME = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)""" + f"{{{_TOML_NAME_PARTS_MAX}}}",
    re.ASCII,
)
"""``tomllib`` takes the square of their number for ``a.a.a``: 5 s for 50 kB."""
_WRITER_SECONDS_MAX = 30.0

_AS_UTF_8 = "and UTF-8 is read. Save it as UTF-8, or convert it: iconv -f {0} -t UTF-8"
_UTF_16 = f"it is text in UTF-16, as PowerShell and Excel write it, {_AS_UTF_8.format('UTF-16')}"
_UTF_32 = f"it is text in UTF-32, {_AS_UTF_8.format('UTF-32')}"
_PACKED = "it is packed with {0}, which is not read here. Unpack it, and give what comes out"
_OTHER = "it is {0} and no text"
_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff|[^\0]\0\0\0|\0\0\0[^\0]", _UTF_32),
    (rb"\xff\xfe|\xfe\xff|[^\0]\0[^\0]\0|\0[^\0]\0[^\0]", _UTF_16),
    (rb"\0", "it begins with NUL bytes: it is a device, or a file that lost its content. Get it again"),
    (rb"\x1f\x8b", _PACKED.format("gzip")),
    (rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", _PACKED.format("zstd")),
    (rb"PK(?:\x03\x04|\x05\x06)", "it is a zip archive or a spreadsheet. Unpack it or save it as text, and give that"),
    (rb"BZh[1-9]", _PACKED.format("bzip2")),
    (rb"\xfd7zXZ\0", _PACKED.format("xz")),
    (rb"\x04\x22\x4d\x18", _PACKED.format("lz4")),
    (rb"\x1f[\x9d\xa0]", _PACKED.format("compress")),
    (rb"7z\xbc\xaf\x27\x1c", _PACKED.format("7-Zip")),
    (rb"Rar!\x1a\x07", _PACKED.format("RAR")),
    (rb"(?s:.{257})ustar", "it is a tar archive. Unpack it, and give the file in it"),
    (rb"\xd0\xcf\x11\xe0", _OTHER.format("an Office document")),
    (rb"%PDF-", _OTHER.format("a PDF document")),
    (rb"PAR1", _OTHER.format("a Parquet table")),
    (rb"ORC", _OTHER.format("an ORC table")),
    (rb"SQLite format 3\0", _OTHER.format("an SQLite database")),
    (
        rb"(?:\xef\xbb\xbf)?\s*<[!?A-Za-z]",
        "it is a web page or XML, as a login page or an error message that came in its place. Get it again",
    ),
)
"""What a file can be, by how it begins."""
_OLD_LINE_ENDS = r"its lines end in CR alone, as on old Macs. Convert it: tr '\r' '\n'"


class GivenFileWrong(ValueError):
    """It can't be read, or is not the text it should be. The message says why and what to do, and names no file."""


def open_given(path: Path) -> BinaryIO:
    """Open a file to read its bytes once, or a pipe.

    Raises ``GivenFileWrong``, and ``HostFailed`` where that says nothing of the file.
    """
    try:
        with if_the_host_fails(f"{path} can't be read"):
            file = _opened(path)
    except GivenFileWrong:
        raise
    except IsADirectoryError:
        raise GivenFileWrong("it is a folder. Give a file") from None
    except OSError as error:
        raise GivenFileWrong(error.strerror or str(error)) from error
    except ValueError as error:
        raise GivenFileWrong(f"no file has such a name ({error})") from error
    if _is_endless(file.fileno()):
        file.close()
        raise GivenFileWrong("it is a device. Give a file")
    return file


def read_given(path: Path) -> bytes:
    """Read a file whole. Raises ``GivenFileWrong``, also for more than ``TEXT_BYTES_MAX``."""
    with open_given(path) as file:
        return read_whole(file)


def read_whole(file: BinaryIO) -> bytes:
    """Read what was opened by ``open_given``. Raises as ``read_given`` does."""
    try:
        content = file.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise GivenFileWrong(error.strerror or str(error)) from error
    if len(content) > TEXT_BYTES_MAX:
        raise GivenFileWrong(f"it has more than {TEXT_BYTES_MAX:,} bytes, which no such file has")
    return content


def as_text(content: bytes) -> str:
    """The text of a file that was read whole, without a mark before it. Raises ``GivenFileWrong`` for anything else."""
    other = other_kind(content)
    if other is not None:
        raise GivenFileWrong(other)
    try:
        return content.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise GivenFileWrong(
            f"byte {error.start:,} (0x{content[error.start]:02x}) is not UTF-8; it may be text in Latin-1 or "
            "Windows-1252. Save it as UTF-8"
        ) from error


def read_text(path: Path) -> str:
    """Read a file's text. Raises ``GivenFileWrong`` for whatever is none."""
    return as_text(read_given(path))


def parsed_toml(text: str) -> dict[str, Any]:
    """The document that a text is in TOML. Raises ``GivenFileWrong`` for whatever is none."""
    if (long := _LONG_TOML_NAME.search(text)) is not None:
        line = text.count("\n", 0, long.start()) + 1
        raise GivenFileWrong(f"line {line:,} has a name of more than {_TOML_NAME_PARTS_MAX} parts, which nothing has")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for 5,000 digits, and for nesting without end
        raise GivenFileWrong(f"it is not TOML: {error}") from error


def other_kind(beginning: bytes) -> str | None:
    """What a file is, by its first bytes, some dozen KiB or all of them, where it can't be text; None where it may."""
    for pattern, kind in _KINDS:
        if re.match(pattern, beginning):
            return kind
    is_json = beginning.removeprefix(BOM_UTF8).lstrip().startswith(b"{")  # which needs no ends of lines
    return _OLD_LINE_ENDS if b"\r" in beginning and b"\n" not in beginning and not is_json else None


def _opened(path: Path) -> BinaryIO:
    """Open it; a pipe opens when somebody opens its other end, which is waited for so long and no longer."""
    if not path.is_fifo():
        return open(path, "rb")  # noqa: PTH123 - closed by who asked for it; a name with a NUL is a ValueError
    with ThreadPoolExecutor(1) as thread:
        opening = thread.submit(open, path, "rb")
        try:
            return opening.result(_WRITER_SECONDS_MAX)
        except TimeoutError:
            raise GivenFileWrong(
                f"it is a pipe into which nobody writes, waited for {_WRITER_SECONDS_MAX:g} s. Start what writes first"
            ) from None
        finally:
            if not opening.done():
                other_end = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # with which the thread's open ends
                opening.result().close()
                os.close(other_end)


def _is_endless(descriptor: int) -> bool:
    """Tell whether it is a device; a terminal and the null device end."""
    facts = os.fstat(descriptor)
    if not stat.S_ISCHR(facts.st_mode) and not stat.S_ISBLK(facts.st_mode):
        return False
    return not os.isatty(descriptor) and facts.st_rdev != Path(os.devnull).stat().st_rdev
