"""``audit anchor`` and ``audit verify --anchor``: what was cut back, replaced or signed by a stranger shows."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.cli import main
from tests.answers import check_answer
from tests.e2e.claimed import certified
from tests.e2e.shell import process_settings_kept
from tests.storage.keys import Keys, made_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return made_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    with process_settings_kept():
        yield asyncio.run(certified(tmp_path / "photos-run")).path


def answered(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    exit_code = main([*map(str, arguments), "--output", "json"])
    printed = capsys.readouterr()
    assert exit_code == 0, printed.err
    return check_answer(" ".join(map(str, arguments[:2])), printed.out)


def test_a_signed_anchor_is_made_and_held_against_the_log(
    run: Path, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors = tmp_path / "photos.anchors"
    made = answered(capsys, "audit", "anchor", run, "--to", anchors, "--sign-key", keys.anna)
    assert (made["logs"], made["records"]) == (1, 71)
    assert made["signed_with"].startswith("ED25519 key SHA256:")
    assert main(["audit", "verify", str(run), "--anchor", str(anchors)]) == 0
    assert "nobody looked by whom" in " ".join(capsys.readouterr().err.split())
    found = answered(capsys, "audit", "verify", run, "--anchor", anchors, "--allowed-signers", keys.allowed_signers)
    assert found["verdict"] == "sound"
    assert found["anchors_signed_by"] == [f"anna@example ({made['signed_with']})"]


def test_an_older_copy_and_another_log_in_its_place_are_found(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors = tmp_path / "anchors"
    answered(capsys, "audit", "anchor", run, "--to", anchors)
    for name in ("checkpoint", "checkpoint.previous", "certificate.json", "certificate.txt"):
        (run / name).unlink()
    # As it once was, with what said that there was more taken away, too: whole in itself.
    log = run / "audit/000003.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    assert main(["audit", "verify", str(run)]) == 0
    capsys.readouterr()
    assert main(["audit", "verify", str(run), "--anchor", str(anchors)]) == 4
    assert "the log ends here, but the anchor vouches for records up to 70" in capsys.readouterr().out

    shutil.rmtree(run)
    asyncio.run(certified(run, "videos"))
    assert main(["audit", "verify", str(run)]) == 0
    capsys.readouterr()
    assert main(["audit", "verify", str(run), "--anchor", str(anchors)]) == 4
    assert "that log is gone, or was replaced" in capsys.readouterr().out


def test_a_strangers_signature_and_none_are_not_believed(
    run: Path, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_mallory, unsigned = tmp_path / "by-mallory", tmp_path / "unsigned"
    answered(capsys, "audit", "anchor", run, "--to", by_mallory, "--sign-key", keys.mallory)
    answered(capsys, "audit", "anchor", run, "--to", unsigned)
    for file, told in ((by_mallory, "is not to be believed"), (unsigned, "nobody signed it")):
        arguments = ["audit", "verify", run, "--anchor", file, "--allowed-signers", keys.allowed_signers]
        assert main([*map(str, arguments)]) == 4
        assert told in " ".join(capsys.readouterr().err.split())


def test_a_damaged_folder_is_not_anchored(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = run / "audit/000003.jsonl"
    log.write_bytes(log.read_bytes().replace(b"41.25", b"41.52", 1))
    assert main(["audit", "anchor", str(run), "--to", str(tmp_path / "anchors")]) == 4
    assert "Nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "anchors").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--anchor", "nothing-there"], "is not an anchor (SEQ:HASH), and as a file: this file is gone"),
        (["--allowed-signers", "signers"], "Give --anchor FILE, too"),
        (["--anchor", f"70:{'ab' * 32}", "--allowed-signers", "signers"], "SEQ:HASH has no signature"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], told: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify", str(run), *arguments]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_the_commands_of_the_documentation_check_a_signature_without_this_program(
    run: Path, keys: Keys, tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(capsys, "audit", "anchor", run, "--to", tmp_path / "photos.anchors", "--sign-key", keys.anna)
    shutil.copy(keys.allowed_signers, tmp_path)
    shutil.copy(repository / "engine/glacier_purge/audit/verification.py", tmp_path / "verify.py")
    text = (repository / "docs/audit-format.md").read_text("utf-8")
    block = re.search(r"```sh\n(.*?ssh-keygen -Y verify.*?)```", text, re.DOTALL)
    assert block is not None
    said = subprocess.run(["sh", "-e", "-c", block[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert 'Good "glacier-purge-anchor" signature for anna@example with ED25519 key SHA256:' in said.stdout
    assert "71 records, {'deleted': 60}, as it was written" in said.stdout

    changed = (tmp_path / "photos.anchors").read_bytes().replace(b"\n71\n", b"\n70\n")
    (tmp_path / "photos.anchors").write_bytes(changed)
    said = subprocess.run(["sh", "-e", "-c", block[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert json.dumps(said.stdout).count("Good") == 0
