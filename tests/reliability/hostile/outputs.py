"""Every way in by which a stranger's text comes, and every way out on which somebody sees it.

Each way takes a text and gives what came out, by the kind of its reader: "terminal", "json", "lines" (of JSON), "csv".
All is done in this process.
"""

from __future__ import annotations

import io
import json
import logging
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from glacier_purge.archive import Archive, ArchiveId, Vault
from glacier_purge.audit.record import Frame, Outcome, make_note, read_line
from glacier_purge.cli import _explain, main
from glacier_purge.cli.logs import configure_logs
from glacier_purge.cli.options import LogOptions
from glacier_purge.cli.output import as_text
from glacier_purge.cli.voice import Voice, speaking
from glacier_purge.glacier.reply import read_reply
from glacier_purge.glacier.sdk.answers import as_error
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.plan.migration.manifest import Claim
from glacier_purge.plan.migration.migrated import Migration, Proofs, Unproven, UnseenCopies
from glacier_purge.plan.rows import Rows
from glacier_purge.report.findings import as_lines, as_result
from glacier_purge.report.list_file import ListFormat, write_list
from tests.e2e.shell import process_settings_kept
from tests.reliability.hostile.given_files import _environment
from tests.reliability.hostile.strings import check_csv, check_for_terminal, check_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Out = list[tuple[str, str]]
_ID = "A" * 138
_VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
_HEADERS_MAX = 8_000


@contextmanager
def caught() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """What is printed meanwhile, and nothing of this process changed by it."""
    with process_settings_kept(), redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        yield out, err


def commanded(*arguments: str, variables: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Give a command in this process, as somebody without credentials."""
    with _environment(**(variables or {})), caught() as (out, err):
        exit_code = main([*arguments])
    return exit_code, out.getvalue(), err.getvalue()


def _said(*arguments: str, variables: dict[str, str] | None = None) -> Out:
    exit_code, out, err = commanded(*arguments, variables=variables)
    assert exit_code != 255, f"{arguments!r:.300}: {err[-2_000:]}"
    asked_for_json = "json" in arguments
    return [("terminal", err), ("json" if asked_for_json and out.strip() else "terminal", out)]


def _can_be_argument(text: str) -> bool:
    return "\0" not in text and len(text) < 60_000


_VERBS: tuple[tuple[str, ...], ...] = (
    ("status", "{}"),
    ("show", "{}", "--output", "json"),
    ("audit", "verify", "{}"),
    ("audit", "export", "{}"),
    ("config", "show", "--config", "{}"),
    ("config", "show", "--settings-profile", "{}"),
    ("config", "show", "--endpoint-url", "{}"),
    ("simulate", "--scenario", "{}"),
    ("inventory", "inspect", "{}"),
    ("plan", "photos", "--inventory", "{}", "--run-dir", "{folder}"),
    ("plan", "{}", "--inventory", "x", "--run-dir", "{folder}"),
    ("apply", "{}", "--confirm-digest", "{}"),
    ("fleet", "{}", "--run-dir", "{folder}"),
    ("pause", "{}"),
    ("{}",),
    ("status", "x", "--{}"),
)


def command_line(text: str, folder: Path, number: int) -> Out:
    """Names of files, vaults, profiles, hosts, options and verbs."""
    if not _can_be_argument(text):
        return []
    verb = _VERBS[number % len(_VERBS)]
    return _said(*(part.replace("{folder}", str(folder / "run")).replace("{}", text) for part in verb))


def settings(text: str, folder: Path, number: int) -> Out:
    """Values and names in a file, and in the environment."""
    file = folder / "settings.toml"
    quoted = json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
    toml = (f"[safety]\ndeny_vaults = [{quoted}]\n", f"[aws]\nprofile = {quoted}\n", f"[safety]\n{quoted} = 1\n")
    file.write_text(toml[number % 3], "utf-8")
    said = _said("config", "show", "--config", str(file))
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):  # in no environment
        return said
    return said + _said("config", "show", "--output", "json", variables={"GLACIER_PURGE_PACE__MAX_RATE": text})


def files_given(text: str, folder: Path, number: int) -> Out:
    """What stands in fleets, inventories, scenarios and lists."""
    file = folder / "given"
    content = text.encode("utf-8", "surrogatepass")
    record = {"ArchiveId": text, "ArchiveDescription": text, "CreationDate": text, "Size": text}
    inventory = json.dumps({"VaultARN": text, "ArchiveList": [record]}).encode()
    header = b"ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n"
    inspect = ("inventory", "inspect", str(file))
    contents = (
        (b'[[vaults]]\nname = "%b"\n' % content, ("fleet", str(file), "--run-dir", str(folder / "fleet"))),
        (content, inspect),
        (inventory, (*inspect, "--output", "json")),
        (header + content + b",x,y,1,z\n", inspect),
        (b"about = '%b'\nx = 1\n" % content, ("simulate", "--scenario", str(file))),
    )
    written, arguments = contents[number % len(contents)]
    file.write_bytes(written)
    return _said(*arguments)


def logs(text: str, folder: Path, number: int) -> Out:
    """Events of ours and of foreign libraries, their values, names and exceptions, in both formats."""
    form = ("console", "json")[number % 2]
    with caught() as (_, err):
        configure_logs(LogOptions(log_format=form, debug=True))  # type: ignore[arg-type]  # one of the two
        log: Any = structlog.wrap_logger(logging.getLogger("glacier_purge.hostile"))
        log.warning("vault.found", name=text, deep={"a": [text]}, listed=[text, (text,)])
        logging.getLogger("foreign").warning("of %s: " + text.replace("%", "%%"), text)
        try:
            raise ValueError(text)
        except ValueError:
            log.exception("vault.lost", because=text)
            logging.getLogger("foreign").exception("lost")
    told = err.getvalue()
    return [("terminal", told)] if form == "console" else [("lines", told)]


def audit_log(text: str, folder: Path, number: int) -> Out:
    """Codes, request ids, and whatever notes say, in the log and in every list of it."""
    outcome = Outcome(3, text, 1, "failed", 1, 400, text, text, 1.0)
    lines = Frame("run", 1, "2026-01-01T00:00:00.000Z").bodies([outcome, make_note("stopped", {"reason": text})], 5)
    whole = [body + b',"prev":"' + b"0" * 64 + b'"}' for body in lines]
    assert read_line(whole[0]).seq == 5
    said = text.encode("utf-8", "backslashreplace").decode()  # as readers of inventories and logs give it
    columns = (
        "ordinal",
        "archive_id",
        "outcome",
        "attempts",
        "http_status",
        "code",
        "committed",
        "file",
        "description",
    )
    row = (3, said, ("failed", "deleted")[number % 2], 1, 400, said, "2026-01-01T00:00:00.000Z", said, said)
    listed: Out = [("json", line.decode()) for line in whole]
    forms: tuple[tuple[ListFormat, str], ...] = (("csv", "csv"), ("jsonl", "lines"))
    for how, kind in forms:
        target = io.StringIO(newline="")
        write_list([row], columns, how, target, vault="photos")
        listed.append((kind, target.getvalue()))
    return listed


def unproven(text: str, folder: Path, number: int) -> Out:
    """What a manifest and an inventory say, in the list of what was not proven."""
    place = folder / "unproven"
    place.mkdir(exist_ok=True)
    with Rows(place) as claims:
        claims.add(
            _ID,
            msgspec.msgpack.encode(
                Claim(True, 1, text.encode("utf-8", "replace").decode(), "b", text.encode("utf-8", "replace").decode())
            ),
        )
        claims.seal()
        with Unproven(Proofs(migration=Migration(claims), copies=UnseenCopies()), place) as listing:
            listing.filter().judge(Archive(ArchiveId(_ID), text, text, 2, text, 0))
    content = (place / "unproven.csv").read_bytes().decode()
    (place / "unproven.csv").unlink()
    return [("csv", content)]


def service_errors(text: str, folder: Path, number: int) -> Out:
    """Codes, messages and request ids of the service, or of whoever answers in its place."""
    body = json.dumps({"code": ("AccessDeniedException", text)[number % 2], "message": text}).encode()
    header = text.encode("utf-8", "surrogatepass")[:_HEADERS_MAX]
    reply = read_reply(
        (403, 400, 404, 500)[number % 4], {b"x-amzn-requestid": header, b"x-amzn-errortype": header}, body
    )
    error = as_error(reply, "DescribeVault", _VAULT.arn, "http://127.0.0.1:1")
    return [*_as_ended(error), ("terminal", as_text({"message": str(error), text: text}))]


def _as_ended(error: Exception) -> Out:
    with speaking(Voice(level="debug")), caught() as (_, err):
        _explain(error)
    return [("terminal", err.getvalue())]


def findings(text: str, folder: Path, number: int) -> Out:
    """Tags, topics, ids of statements, descriptions of jobs."""
    finding = Finding(weight=Weight.WARNING, subject=text, what=text, why=text, advice=text)
    return [("terminal", "\n".join(as_lines(finding))), ("json", json.dumps(msgspec.to_builtins(as_result(finding))))]


WAYS: tuple[Callable[[str, Path, int], Out], ...] = (
    command_line,
    settings,
    files_given,
    logs,
    audit_log,
    unproven,
    service_errors,
    findings,
)


def check(kind: str, text: str) -> None:
    """Hold what came out against what its reader can bear."""
    match kind:
        case "json":
            check_json(text)
        case "lines":
            for line in text.splitlines():
                check_json(line)
        case "csv":
            check_csv(text)
        case _:
            check_for_terminal(text)
