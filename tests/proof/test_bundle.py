"""The bundle for an auditor, unpacked elsewhere and checked by Python alone, as its own README.txt says."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.verification import verify_folder
from glacier_purge.cli import main
from glacier_purge.storage.folder import RunFolder
from tests.answers import check_answer
from tests.audit.test_verification_lifecycles import begun, settled
from tests.audit.test_verification_scripts import written
from tests.e2e.claimed import certified
from tests.storage.keys import Keys, made_keys

if TYPE_CHECKING:
    from pathlib import Path

CANARY = b"AKIAIOSFODNN7EXAMPLE"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return made_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a lifecycle and a script's log, with what somebody else laid into the first."""
    place = tmp_path_factory.mktemp("made")
    run = asyncio.run(certified(place / "run")).path
    (run / "credentials").write_bytes(CANARY)
    (run / "audit" / "notes.jsonl").write_bytes(CANARY)
    (run / "noticed.json").write_bytes(CANARY)
    (place / "vaults").mkdir()
    begun(place / "vaults/photos")
    begun(place / "vaults/videos", "videos")
    shutil.copytree(place / "vaults/photos", place / "lifecycle")
    settled(place / "fleet", place / "vaults")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(place / "state"))
        asyncio.run(written(place / "script", segment_records=25))
    return place


def commands(readme: str) -> list[str]:
    return re.findall(r"^    ((?:python3|sha256sum) .*)$", readme, re.MULTILINE)


def unpacked(bundle: Path, place: Path) -> str:
    with zipfile.ZipFile(bundle) as opened:
        assert opened.testzip() is None
        opened.extractall(place)
    return (place / "README.txt").read_text("ascii")


def checked(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Give a command of README.txt with this Python, without its packages, and with nothing but the system's tools."""
    words = command.split()
    if words[0] == "python3":
        words[:1] = [sys.executable, "-S"]
    return subprocess.run(words, cwd=place, capture_output=True, text=True, check=False, env={"PATH": "/nowhere"})


@pytest.mark.parametrize("of", ["run", "lifecycle", "fleet", "script"])
def test_it_is_checked_as_its_readme_says_and_says_what_that_prints(of: str, made: Path, tmp_path: Path) -> None:
    assert main(["audit", "bundle", str(made / of), "--to", str(tmp_path / "proof.zip")]) == 0
    place = tmp_path / "unpacked"
    readme = unpacked(tmp_path / "proof.zip", place)
    assert max(map(len, readme.splitlines())) < 200
    verify, sums = commands(readme)
    said = checked(verify, place)
    assert (said.returncode, said.stderr) == (0, "")
    told = [line for line in said.stdout.splitlines() if "note: " not in line]
    assert told
    assert all(f"    {line}\n" in readme for line in told)
    assert sums == "sha256sum -c SHA256SUMS"
    listed = dict(line.split("  ")[::-1] for line in (place / "SHA256SUMS").read_text().splitlines())
    there = {file.relative_to(place).as_posix(): file for file in place.rglob("*") if file.is_file()}
    assert listed.keys() == there.keys() - {"SHA256SUMS"}
    assert all(hashlib.sha256(there[name].read_bytes()).hexdigest() == sha256 for name, sha256 in listed.items())


def test_a_change_of_any_file_of_the_evidence_is_found(made: Path, tmp_path: Path) -> None:
    """The hash of an inventory that is not there, and that nothing else has, is held by the sums alone."""
    assert main(["audit", "bundle", str(made / "run"), "--to", str(tmp_path / "proof.zip")]) == 0
    place = tmp_path / "unpacked"
    unpacked(tmp_path / "proof.zip", place)
    evidence = sorted(file for file in (place / "evidence").rglob("*") if file.is_file() and file.stat().st_size)
    unseen = []
    for file in evidence:
        content = file.read_bytes()
        file.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        if not verify_folder(place / "evidence", inventories=False)[0].found.faults:
            unseen.append(file.relative_to(place / "evidence").as_posix())
        file.write_bytes(content)
    assert unseen == ["verification/inventory.json.sha256"]
    assert len(evidence) > 12


def test_the_pages_are_beside_the_evidence_and_lead_to_each_other(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    shutil.copytree(made / "fleet", folder)
    members = sorted(member.name for member in folder.iterdir() if member.is_dir())
    assert members
    for place in (folder, *(folder / name for name in members)):
        (place / "report.html").write_text(f"the page of {place.name}")
    assert main(["audit", "bundle", str(folder), "--to", str(tmp_path / "proof.zip")]) == 0
    readme = unpacked(tmp_path / "proof.zip", tmp_path / "unpacked")
    assert "pages/report.html" in readme
    pages = {file.relative_to(tmp_path / "unpacked/pages").as_posix() for file in tmp_path.rglob("pages/**/*.html")}
    assert pages == {"report.html", *(f"{name}/report.html" for name in members)}
    assert not list((tmp_path / "unpacked/evidence").rglob("*.html"))


def test_nothing_is_in_it_that_is_not_known_and_no_inventory(made: Path, tmp_path: Path) -> None:
    assert main(["audit", "bundle", str(made / "run"), "--to", str(tmp_path / "proof.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "proof.zip") as bundle:
        names = bundle.namelist()
        assert not [name for name in names if CANARY in bundle.read(name)]
        assert b"a film 59" not in b"".join(map(bundle.read, names))  # the plan shows the first few
    assert not {name.rpartition("/")[2] for name in names} & {"inventory.json", "inventory.csv", "credentials"}
    assert "evidence/audit/000001.jsonl" in names


def test_the_same_folder_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(made / "run", tmp_path / name, dirs_exist_ok=True)
        assert main(["audit", "bundle", str(tmp_path / name), "--to", str(tmp_path / f"{name}.zip")]) == 0
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_its_anchors_are_signed_and_checked_as_its_readme_says(
    made: Path, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "proof.zip"
    arguments = ["audit", "bundle", str(made / "run"), "--to", str(to), "--sign-key", str(keys.anna)]
    assert main([*arguments, "--output", "json"]) == 0
    answer = check_answer("audit bundle", capsys.readouterr().out)
    assert answer["sha256"] == hashlib.sha256(to.read_bytes()).hexdigest()
    place = tmp_path / "unpacked"
    readme = unpacked(to, place)
    assert "--anchor anchors.txt" in commands(readme)[0]
    assert checked(commands(readme)[0], place).returncode == 0
    assert answer["signed_with"] in readme
    shutil.copy(keys.allowed_signers, place)
    script = "".join(re.findall(r"^    ((?:sed|ssh-keygen) .*\n)", readme, re.MULTILINE)).replace(
        "NAME", "anna@example"
    )
    said = subprocess.run(["sh", "-e", "-c", script], cwd=place, capture_output=True, text=True, check=False)
    assert said.stdout.startswith('Good "glacier-purge-anchor" signature for anna@example'), said.stderr


def test_a_damaged_folder_one_at_work_and_a_file_that_is_there_are_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "proof.zip"
    run = tmp_path / "run"
    shutil.copytree(made / "run", run)
    run.chmod(0o700)
    with RunFolder(run).held():
        assert main(["audit", "bundle", str(run), "--to", str(to)]) == 75
    assert "what is still written can't be handed on" in " ".join(capsys.readouterr().err.split())
    (run / "plan.json").write_bytes(b"{}")
    assert main(["audit", "bundle", str(run), "--to", str(to)]) == 4
    assert main(["audit", "bundle", str(made / "run"), "--to", str(tmp_path / "nowhere/proof.zip")]) == 3
    assert list(tmp_path.iterdir()) == [run]
    to.write_bytes(b"something else")
    assert main(["audit", "bundle", str(made / "run"), "--to", str(to)]) == 2
    assert to.read_bytes() == b"something else"
