"""Files as people have them: exported, mailed, saved by an editor, redirected by a shell, or something else entirely.

What can be read is read, a mark before the text included; what can't is called what it is, in one sentence, before the
service hears of it and before anything is written.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.e2e.situations import Situation, check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.shell import Shell

Change = Callable[[bytes], bytes]

MARK = b"\xef\xbb\xbf"
UTF_16 = "it is text in UTF-16, as PowerShell and Excel write it, and UTF-8 is read. Save it as UTF-8"
DEVICE = "it is a device. Give a file"
FOLDER = "it is a folder. Give a file"
WEB_PAGE = b"<!DOCTYPE html>\n<html><title>Sign in</title></html>\n"
RUN = frozenset({"run"})


def recoded(encoding: str) -> Change:
    return lambda good: good.decode().encode(encoding)


def zipped(good: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inventory.json", good)
    return packed.getvalue()


def tarred(good: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("inventory.json")
        entry.size = len(good)
        archive.addfile(entry, io.BytesIO(good))
    return packed.getvalue()


def one_a_line(good: bytes) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in json.loads(good)["ArchiveList"])


def last_line(change: Change) -> Change:
    """Change the last line, which then has no newline."""

    def changed(good: bytes) -> bytes:
        *lines, last = good.rstrip(b"\n").split(b"\n")
        return b"\n".join([*lines, change(last)])

    return changed


def with_a_newline_in_a_description(good: bytes) -> bytes:
    header, first, rest = good.split(b"\n", 2)
    columns = first.split(b",")
    return b"\n".join([header, b",".join([columns[0], b'"two\nlines"', *columns[-3:]]), rest])


# -- the commands -----------------------------------------------------------------------------------------------------


def plan(change: Change, form: str = "json") -> Callable[[Shell], tuple[str, ...]]:
    """Plan with an inventory, spoilt or not."""

    def make(shell: Shell) -> tuple[str, ...]:
        inventory = shell.simulator.inventory(shell.folder / "inventory", form)
        inventory.write_bytes(change(inventory.read_bytes()))
        return planning(shell, str(inventory), *(("--account-id", "123456789012") if form == "csv" else ()))

    return make


def plan_from(path: str) -> Callable[[Shell], tuple[str, ...]]:
    return lambda shell: planning(shell, path.replace("{folder}", str(shell.folder)))


def planning(shell: Shell, inventory: str, *options: str) -> tuple[str, ...]:
    at = ("--endpoint-url", shell.simulator.endpoint_url, "--run-dir", str(shell.run_dir))
    return ("plan", "photos", "--inventory", inventory, *at, *options)


def listed(content: Change, *options: str) -> Callable[[Shell], tuple[str, ...]]:
    """Plan with a good inventory and a file made of its ids, one a line, in the place of ``{file}``."""

    def make(shell: Shell) -> tuple[str, ...]:
        inventory = shell.simulator.inventory(shell.folder / "inventory")
        file = shell.folder / "file"
        ids = [record["ArchiveId"].encode() for record in json.loads(inventory.read_bytes())["ArchiveList"]]
        file.write_bytes(content(b"".join(one + b"\n" for one in ids[:7])))
        return planning(shell, str(inventory), *(option.replace("{file}", str(file)) for option in options))

    return make


def given(path: str, *options: str) -> Callable[[Shell], tuple[str, ...]]:
    """Plan with a good inventory and a file that is there already."""

    def make(shell: Shell) -> tuple[str, ...]:
        inventory = shell.simulator.inventory(shell.folder / "inventory")
        file = path.replace("{folder}", str(shell.folder))
        return planning(shell, str(inventory), *(option.replace("{file}", file) for option in options))

    return make


def configured(change: Change, text: str = "[pace]\nmax_rate = 5\n") -> Callable[[Shell], tuple[str, ...]]:
    """Show the settings of a file."""

    def make(shell: Shell) -> tuple[str, ...]:
        file = shell.folder / "settings.toml"
        file.write_bytes(change(text.encode()))
        return ("config", "show", "--config", str(file))

    return make


def priced(path_or_change: str | Change) -> Callable[[Shell], tuple[str, ...]]:
    """Plan with a table of prices."""

    def make(shell: Shell) -> tuple[str, ...]:
        file = shell.folder / "prices.toml"
        if isinstance(path_or_change, str):
            file.symlink_to(path_or_change)
        else:
            file.write_bytes(path_or_change(b"as_of = '2020-01-01'\n"))
        shell.planned()
        (shell.folder / "settings.toml").write_text(f"[estimate]\nprices_file = {json.dumps(str(file))}\n")
        return ("show", str(shell.run_dir), "--config", str(shell.folder / "settings.toml"))

    return make


def fleet(change: Change) -> Callable[[Shell], tuple[str, ...]]:
    def make(shell: Shell) -> tuple[str, ...]:
        file = shell.folder / "fleet.toml"
        file.write_bytes(change(b"[[vaults]]\nname = 'photos'\n"))
        return fleeting(shell, str(file))

    return make


def fleeting(shell: Shell, file: str) -> tuple[str, ...]:
    at = ("--endpoint-url", shell.simulator.endpoint_url, "--region", "us-east-1")
    return ("fleet", file, "--run-dir", str(shell.folder / "fleet"), "--no-wait", *at)


def lifecycle(path: str) -> Callable[[Shell], tuple[str, ...]]:
    """Begin a lifecycle whose terms name a file."""

    def make(shell: Shell) -> tuple[str, ...]:
        at = ("--endpoint-url", shell.simulator.endpoint_url, "--region", "us-east-1")
        if path == "a pipe":
            os.mkfifo(shell.folder / "pipe")
            keep = os.open(shell.folder / "pipe", os.O_RDWR)  # so that nobody waits for the other end
            return ("run", "photos", "--run-dir", str(shell.folder / "lifecycle"), "--ids", f"/dev/fd/{keep}", *at)
        return ("run", "photos", "--run-dir", str(shell.folder / "lifecycle"), "--ids", path, *at)

    return make


same: Change = bytes
INVENTORIES: dict[str, Situation] = {
    # what is read
    "JSON with a mark before it": Situation(plan(lambda good: MARK + good), 0, ("60 archives",), None, RUN),
    "CSV with a mark before it": Situation(plan(lambda good: MARK + good, "csv"), 0, ("60",), None, RUN),
    "a mark before it, in gzip": Situation(plan(lambda good: gzip.compress(MARK + good)), 0, ("60",), None, RUN),
    "zstd that begins with a skippable frame": Situation(
        plan(lambda good: b"\x50\x2a\x4d\x18\4\0\0\0abcd" + zstandard.compress(good)), 0, ("60",), None, RUN
    ),
    "CSV with the line ends of Windows": Situation(
        plan(lambda good: good.replace(b"\n", b"\r\n"), "csv"), 0, ("60",), None, RUN
    ),
    "CSV with empty lines at its end": Situation(plan(lambda good: good + b"\r\n \n\n", "csv"), 0, ("60",), None, RUN),
    "CSV without a newline at its end": Situation(plan(last_line(same), "csv"), 0, ("60",), None, RUN),
    "a megabyte of space behind JSON": Situation(plan(lambda good: good + b" \t\r\n" * 2**18), 0, ("60",), None, RUN),
    "space before JSON": Situation(plan(lambda good: b"\n\n " + good), 0, ("60",), None, RUN),
    # other encodings
    "UTF-16 from PowerShell": Situation(plan(recoded("utf-16")), 2, ("byte 0: " + UTF_16,)),
    "UTF-16 without a mark": Situation(plan(recoded("utf-16-be")), 2, (UTF_16,)),
    "CSV in UTF-16": Situation(plan(recoded("utf-16"), "csv"), 2, (UTF_16,)),
    "UTF-16 in gzip": Situation(
        plan(lambda good: gzip.compress(recoded("utf-16")(good))), 2, ("unpacked from gzip, " + UTF_16,)
    ),
    "UTF-32": Situation(plan(recoded("utf-32")), 2, ("it is text in UTF-32",)),
    # other files
    "a zip archive": Situation(plan(zipped), 2, ("it is a zip archive or a spreadsheet. Unpack it",)),
    "bzip2": Situation(plan(bz2.compress), 2, ("it is packed with bzip2, which is not read here. Unpack it",)),
    "xz": Situation(plan(lzma.compress), 2, ("it is packed with xz",)),
    "gzip in gzip": Situation(
        plan(lambda good: gzip.compress(gzip.compress(good))), 2, ("unpacked from gzip, it is packed with gzip",)
    ),
    "a tar archive in gzip": Situation(
        plan(lambda good: gzip.compress(tarred(good))), 2, ("unpacked from gzip, it is a tar archive",)
    ),
    "a login page": Situation(plan(lambda _: WEB_PAGE), 2, ("it is a web page or XML, as a login page",)),
    "an error in XML": Situation(plan(lambda _: b"<?xml version='1.0'?><Error/>"), 2, ("it is a web page or XML",)),
    "an error of the service": Situation(
        plan(lambda _: b'{"code":"ResourceNotFoundException","message":"gone","type":"Client"}'),
        2,
        ("it is an error message of the service",),
    ),
    "what the AWS CLI prints": Situation(
        plan(lambda _: b'{"status": 200, "acceptRanges": "bytes", "contentType": "application/json"}\n'),
        2,
        ("it is what the AWS CLI prints; the inventory is in the file that it was to write",),
    ),
    "the job and not its output": Situation(
        plan(lambda _: b'{"Action":"InventoryRetrieval","JobId":"x","StatusCode":"Succeeded"}'),
        2,
        ("it describes the job",),
    ),
    "one record a line": Situation(plan(one_a_line), 2, ("it is one record a line (JSON lines)",)),
    "nothing at all": Situation(plan(lambda _: b""), 2, ("it is empty",)),
    "a mark and nothing else": Situation(plan(lambda _: MARK), 2, ("it is empty",)),
    "a file that lost its content": Situation(plan(lambda good: bytes(len(good))), 2, ("it begins with NUL bytes",)),
    "a device": Situation(plan_from("/dev/zero"), 2, ("cannot read /dev/zero: " + DEVICE,)),
    "a folder": Situation(plan_from("{folder}"), 2, (FOLDER,)),
    "a name too long": Situation(plan_from("x" * 300), 2, ("File name too long",)),
    # behind the end
    "two documents": Situation(plan(lambda good: good + b"\n" + good), 2, ("another document stands behind",)),
    "NULs behind it": Situation(plan(lambda good: good + bytes(512)), 2, ("something (0x00) stands behind",)),
    "NULs and a newline behind it": Situation(plan(lambda good: good + b"\n\0\n"), 2, ("(0x00) stands behind",)),
    "a form feed behind it": Situation(plan(lambda good: good + b"\n\f"), 2, ("something (0x0c) stands behind",)),
    "a text that is not closed behind it": Situation(plan(lambda good: good + b'"'), 2, ("(0x22) stands behind",)),
    "a form feed in it": Situation(plan(lambda good: good.replace(b":", b":\f", 1)), 2, ("(0x0c stands in it)",)),
    "padding behind gzip": Situation(
        plan(lambda good: gzip.compress(good) + bytes(512)), 2, ("something that is no gzip stands behind the end",)
    ),
    "NULs behind CSV": Situation(plan(lambda good: good + bytes(512), "csv"), 2, ("(0x00) stands behind its last",)),
    "the end of a file in DOS behind CSV": Situation(
        plan(lambda good: good + b"\x1a", "csv"), 2, ("something (0x1a) stands behind its last line",)
    ),
    # lines and columns
    "CSV with the line ends of old Macs": Situation(
        plan(lambda good: good.replace(b"\n", b"\r"), "csv"), 2, (r"its lines end in CR alone", r"tr '\r' '\n'")
    ),
    "CSV with tabs": Situation(
        plan(lambda good: good.replace(b",", b"\t"), "csv"), 2, ("its columns are parted by tabs",)
    ),
    "CSV with semicolons": Situation(
        plan(lambda good: good.replace(b",", b";"), "csv"), 2, ("its columns are parted by semicolons",)
    ),
    "CSV with a newline in a description": Situation(
        plan(with_a_newline_in_a_description, "csv"), 2, ("a quoted text goes on in the next line",)
    ),
    "a wrong id in a last line without newline": Situation(
        plan(last_line(lambda line: b".." + line[138:]), "csv"), 2, ("ArchiveId is not 138 of the characters",)
    ),
    "a wrong size in a last line without newline": Situation(
        plan(last_line(lambda line: line.replace(line.split(b",")[-2], b"-1")), "csv"), 2, ("Size is not an integer",)
    ),
    "a last line cut short": Situation(plan(last_line(lambda line: line[:-9]), "csv"), 2, ("truncated",)),
}

OTHERS: dict[str, Situation] = {
    # lists of ids
    "a list with a mark before it": Situation(
        listed(lambda ids: MARK + ids, "--ids", "{file}"), 0, ("7 archives",), None, RUN
    ),
    "a list from Windows, compressed": Situation(
        listed(lambda ids: gzip.compress(MARK + ids.replace(b"\n", b"\r\n")), "--ids", "{file}"), 0, ("7",), None, RUN
    ),
    "a list in UTF-16": Situation(listed(recoded("utf-16"), "--exclude-ids", "{file}"), 2, (UTF_16,), 1),
    "a list with the line ends of old Macs": Situation(
        listed(lambda ids: ids.replace(b"\n", b"\r"), "--ids", "{file}"), 2, ("its lines end in CR alone",), 1
    ),
    "a web page for a list": Situation(
        listed(lambda _: WEB_PAGE, "--ids", "{file}"), 2, ("it is a web page or XML",), 1
    ),
    "a wrong last id without a newline": Situation(
        listed(lambda ids: ids + b"oops", "--ids", "{file}"), 2, ("line 8: 'oops' is no archive id",), 1
    ),
    "NULs behind a list": Situation(
        listed(lambda ids: ids + bytes(9), "--ids", "{file}"), 2, ("line 8:", "no archive"), 1
    ),
    "a zipped list": Situation(listed(zipped, "--ids", "{file}"), 2, ("it is a zip archive",), 1),
    "an empty list of what stays": Situation(given("/dev/null", "--exclude-ids", "{file}"), 0, ("60",), None, RUN),
    "a device for a list": Situation(given("/dev/zero", "--exclude-ids", "{file}"), 2, (DEVICE,), 1),
    "a folder for a list": Situation(given("{folder}", "--exclude-ids", "{file}"), 2, (FOLDER,), 1),
    "a device for a lifecycle's list": Situation(lifecycle("/dev/zero"), 2, (DEVICE,), 1, frozenset({"lifecycle"})),
    "a pipe for a lifecycle's list": Situation(
        lifecycle("a pipe"), 2, ("it is no regular file, and a lifecycle reads it again",), 1, frozenset({"lifecycle"})
    ),
    # manifests
    "a manifest in UTF-16": Situation(listed(recoded("utf-16"), "--migrated", "{file}"), 2, (UTF_16,), 1),
    "a zipped manifest": Situation(listed(zipped, "--migrated", "{file}"), 2, ("it is a zip archive",), 1),
    "a table of Parquet for a manifest": Situation(
        listed(lambda _: b"PAR1\x15\x04", "--migrated", "{file}"), 2, ("it is a Parquet table and no text",), 1
    ),
    "a device for a manifest": Situation(given("/dev/zero", "--migrated", "{file}"), 2, (DEVICE,), 1),
    # settings
    "settings with a mark before them": Situation(configured(lambda text: MARK + text), 0, ("max_rate",)),
    "settings from Windows": Situation(configured(lambda text: text.replace(b"\n", b"\r\n")), 0, ("max_rate",)),
    "settings in UTF-16": Situation(configured(recoded("utf-16")), 253, ("settings.toml: " + UTF_16,)),
    "settings in Latin-1": Situation(
        configured(recoded("latin-1"), "# für Fotos\n"), 253, ("byte 3 (0xfc) is not UTF-8; it may be text in Latin-1",)
    ),
    "settings with the line ends of old Macs": Situation(
        configured(lambda text: text.replace(b"\n", b"\r")), 253, ("its lines end in CR alone",)
    ),
    "settings with NULs behind them": Situation(configured(lambda text: text + bytes(9)), 253, ("it is not TOML",)),
    "settings of 20 MB": Situation(configured(lambda text: text * 2**20), 253, ("it has more than 16,777,216 bytes",)),
    "settings nested without end": Situation(configured(same, "a = " + "[" * 10**5), 253, ("it is not TOML",)),
    "settings with a number of 5,000 digits": Situation(
        configured(same, "[pace]\nmax_rate = " + "9" * 5000), 253, ("it is not TOML",)
    ),
    "a device for settings": Situation(lambda _: ("config", "show", "--config", "/dev/zero"), 253, (DEVICE,)),
    "a folder for settings": Situation(lambda shell: ("config", "show", "--config", str(shell.folder)), 253, (FOLDER,)),
    # fleets and prices
    "a fleet with a mark before it": Situation(
        fleet(lambda text: MARK + text), 75, ("inventory job",), None, frozenset({"fleet"})
    ),
    "a fleet with the line ends of Windows": Situation(
        fleet(lambda text: MARK + text.replace(b"\n", b"\r\n")), 75, ("inventory job",), None, frozenset({"fleet"})
    ),
    "a fleet in UTF-16": Situation(fleet(recoded("utf-16")), 2, (UTF_16,), 0, frozenset({"fleet"})),
    "a fleet in gzip": Situation(fleet(gzip.compress), 2, ("it is packed with gzip",), 0, frozenset({"fleet"})),
    "a device for a fleet": Situation(
        lambda shell: fleeting(shell, "/dev/zero"), 2, (DEVICE,), 0, frozenset({"fleet"})
    ),
    "a folder for a fleet": Situation(
        lambda shell: fleeting(shell, str(shell.folder)), 2, (FOLDER,), 0, frozenset({"fleet"})
    ),
    "prices in UTF-16": Situation(priced(recoded("utf-16")), 253, (UTF_16,)),
    "a device for prices": Situation(priced("/dev/zero"), 253, (DEVICE,)),
}


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", [*INVENTORIES, *OTHERS])
def test_a_file_is_read_or_called_what_it_is(name: str, shell: Shell) -> None:
    check((INVENTORIES | OTHERS)[name], shell)


def test_a_mark_before_it_moves_no_offset(shell: Shell, tmp_path: Path) -> None:
    inventory = shell.simulator.inventory(tmp_path / "inventory")
    spoilt = MARK + inventory.read_bytes().replace(b'"Size":', b'"Size":-', 1)
    inventory.write_bytes(spoilt)
    said = shell.plan(inventory)
    assert said.exit_code == 2
    first_record = spoilt.index(b'{"ArchiveId"')
    assert f"inventory, byte {first_record:,}: Size is not between" in said.err
