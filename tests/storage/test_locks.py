"""One process a run, one sender a vault on a host: for all users, whatever files are taken away, and while it lives."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import DiskFailed, RunLocked, UsageError
from glacier_purge.storage import locks
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "https://glacier.eu-west-1.amazonaws.com"
NOBODY = 65534
HOLD = """
import os, pathlib, sys
from glacier_purge.archive import Vault
from glacier_purge.storage.locks import lease_locked, run_locked, vault_locked
from glacier_purge.aws import endpoints  # read before this is a user who may not read it
what, user, run_dir, arn, url = sys.argv[1:]
os.setuid(int(user))
folder = pathlib.Path(run_dir)
vault = Vault.from_arn(arn)
held = {
    "vault": lambda: vault_locked(vault, url, folder),
    "lease": lambda: lease_locked(vault.name, vault, folder),
    "run": lambda: run_locked(folder),
}
with held[what]():
    print("held", flush=True)
    sys.stdin.read()
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no files")
root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT SHOWN HERE: only root can become another user")
EACH_WAY = [pytest.param(True, marks=linux, id="by name"), pytest.param(False, id="by file")]


@pytest.fixture
def vault() -> Vault:
    """A vault of this test's own: the host's locks are everybody's, also of tests that run beside this one."""
    return Vault(account_id="123456789012", region="eu-west-1", name=f"photos-{uuid.uuid4().hex}")


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """How the host's locks are made on this system, or would be on another."""
    monkeypatch.setattr(locks, "_HAS_ABSTRACT_NAMES", request.param)
    monkeypatch.setattr(locks, "_EVERYBODYS", tmp_path)


@contextmanager
def holder(
    run_dir: Path,
    vault: Vault,
    what: str = "vault",
    *,
    user: int | None = None,
    elsewhere: dict[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock until it is told to go, or killed."""
    asked = [what, str(os.getuid() if user is None else user), str(run_dir), vault.arn, URL]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, *asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | (elsewhere or {}),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("way", EACH_WAY, indirect=True)
@pytest.mark.usefixtures("way")
def test_a_run_has_one_process(tmp_path: Path, vault: Vault) -> None:
    folder = RunFolder.create(tmp_path / "run")
    assert not folder.is_locked()
    with folder.locked(vault, URL):
        assert folder.is_locked()
        for lock in (folder.held(), folder.locked(vault, URL)):
            with (
                pytest.raises(RunLocked, match=rf"works on the run in .*process {os.getpid()} of .*Nothing was sent"),
                lock,
            ):
                pass
        assert [folder.is_locked() for _ in range(3)] == [True] * 3
    assert not folder.is_locked()
    with folder.held():
        pass


@pytest.mark.parametrize("way", EACH_WAY, indirect=True)
@pytest.mark.usefixtures("way")
def test_who_looks_whether_a_run_is_at_work_keeps_nobody_from_beginning(tmp_path: Path) -> None:
    with locks.run_locked(tmp_path):
        pass
    looking = os.open(tmp_path / locks.LOCK_FILE, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.03, os.close, [looking]).start()
    with locks.run_locked(tmp_path):
        assert locks.run_is_locked(tmp_path)


def test_a_vault_has_one_process_whatever_the_folder(tmp_path: Path, vault: Vault) -> None:
    first, second = RunFolder.create(tmp_path / "first"), RunFolder.create(tmp_path / "second")
    other = Vault(account_id="123456789012", region="eu-west-1", name=f"{vault.name}-too")
    with first.locked(vault, URL):
        with (
            pytest.raises(RunLocked, match="on this host works on arn:aws:glacier") as refused,
            second.locked(vault, URL),
        ):
            pass
        assert f"process {os.getpid()} of {pwd.getpwuid(os.getuid()).pw_name}" in str(refused.value)
        assert str(first.path) in str(refused.value)
        with second.locked(other, URL):
            pass
        with second.locked(vault, "http://127.0.0.1:5000"):
            pass
    with second.locked(vault, URL):
        pass


@pytest.mark.parametrize(
    "url",
    [f"{URL}:443", "https://glacier-fips.eu-west-1.amazonaws.com", f"{URL}/"],
)
def test_a_vault_is_one_by_whatever_endpoint_it_is_reached(vault: Vault, url: str) -> None:
    assert locks.name_of_vault(vault, url) == locks.name_of_vault(vault, URL)


@linux
def test_a_leases_lock_has_one_word_on_this_boot_and_another_for_each_other_lease_boot_and_network(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def word(place: str = "s3://purges/leases/photos.json") -> str:
        with locks.lease_locked(place, vault, tmp_path) as said:
            return said

    words = {word(), word()}
    assert len(words) == 1
    words |= {word("s3://purges/leases/films.json")}
    other = tmp_path / "other"
    other.write_text("9f7ba4a6-0000-4000-8000-000000000000\n")
    with monkeypatch.context() as patched:
        patched.setattr(locks, "_NETWORK", other)
        words |= {word()}
    monkeypatch.setattr(locks, "_BOOT", other)
    words |= {word()}
    assert len(words) == 4
    for nothing in ("", "\n"):
        other.write_text(nothing)
        assert word() == "", "a host that does not tell its boots apart knows nothing of anybody"
    other.unlink()
    assert word() == ""
    monkeypatch.setattr(locks, "_HAS_ABSTRACT_NAMES", False)
    assert word() == ""


@linux
def test_who_wants_a_lease_that_a_process_here_has_is_refused_until_that_one_is_dead(
    tmp_path: Path, vault: Vault
) -> None:
    with holder(tmp_path, vault, "lease") as process:
        assert process.stdin is not None
        with (
            pytest.raises(RunLocked, match=rf"on this host works on .*, by the lease in .*process {process.pid} of"),
            locks.lease_locked(vault.name, vault, tmp_path),
        ):
            pass
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RunLocked), locks.lease_locked(vault.name, vault, tmp_path):
            pass
        process.kill()
        process.wait()
        with locks.lease_locked(vault.name, vault, tmp_path) as word:
            assert word


def test_a_pretended_vault_is_its_services_own(vault: Vault) -> None:
    names = [locks.name_of_vault(vault, url) for url in (URL, "http://127.0.0.1:5000", "http://127.0.0.1:5001")]
    assert len(set(names)) == 3
    assert locks.name_of_vault(vault, "http://localhost:5000") == names[1]


@linux
def test_another_home_or_state_folder_is_no_way_round_and_the_holder_is_named(tmp_path: Path, vault: Vault) -> None:
    theirs, ours = tmp_path / "theirs", RunFolder.create(tmp_path / "ours")
    elsewhere = {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    with (
        holder(theirs, vault, elsewhere=elsewhere) as process,
        pytest.raises(RunLocked) as refused,
        ours.locked(vault, URL),
    ):
        pass
    said = str(refused.value)
    me = pwd.getpwuid(os.getuid()).pw_name
    for part in (
        vault.arn,
        f"process {process.pid} of {me}, since 2",
        f"in {theirs}",
        f"glacier-purge status {theirs}",
    ):
        assert part in said


@linux
@root
def test_another_user_is_kept_out_and_named(tmp_path: Path, vault: Vault) -> None:
    ours = RunFolder.create(tmp_path / "ours")
    with (
        holder(tmp_path / "theirs", vault, user=NOBODY) as process,
        pytest.raises(RunLocked) as refused,
        ours.locked(vault, URL),
    ):
        pass
    assert f"process {process.pid} of {pwd.getpwuid(NOBODY).pw_name}, since" in str(refused.value)


@linux
@pytest.mark.parametrize("what", ["vault", "run"])
def test_a_killed_process_leaves_the_lock_at_once(tmp_path: Path, vault: Vault, what: str) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with holder(folder.path, vault, what) as process:
        with pytest.raises(RunLocked, match=f"process {process.pid}"), folder.locked(vault, URL):
            pass
        process.kill()
        process.wait()
        with folder.locked(vault, URL):
            pass


@linux
@pytest.mark.parametrize("what", ["vault", "run"])
def test_no_file_that_is_removed_gives_the_lock_to_somebody_else(tmp_path: Path, vault: Vault, what: str) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with holder(folder.path, vault, what):
        for file in folder.path.iterdir():
            file.unlink()
        assert folder.is_locked() is (what == "run")
        with pytest.raises(RunLocked), folder.locked(vault, URL):
            pass


@linux
def test_what_works_in_no_run_folder_holds_a_vault_too(vault: Vault, tmp_path: Path) -> None:
    with locks.vault_locked(vault, URL, None):
        with pytest.raises(RunLocked) as refused, locks.vault_locked(vault, URL, tmp_path):
            pass
        assert str(refused.value).endswith("Z. Nothing was sent.")


@linux
def test_a_stranger_who_squats_on_the_name_is_named_and_nothing_is_sent(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_ANSWER_SECONDS", 0.05)
    folder = RunFolder.create(tmp_path / "run")
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(b"\0" + locks.name_of_vault(vault, URL).encode())
        with pytest.raises(RunLocked, match="it takes no questions; `ss -xap`"), folder.locked(vault, URL):
            pass
        squatter.listen()
        with pytest.raises(RunLocked, match=rf"process {os.getpid()} of .* does not say what it does"):  # noqa: SIM117
            with folder.locked(vault, URL):
                pass


@linux
@pytest.mark.parametrize("said", [b"", b"\xff", b'{"since":"x"}', b"[" * 4000, b"9" * 9000])
def test_an_answer_that_is_none_changes_nothing(tmp_path: Path, vault: Vault, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(b"\0" + locks.name_of_vault(vault, URL).encode())
        stranger.listen()

        def answer() -> None:
            asker, _ = stranger.accept()
            with asker:
                asker.sendall(said)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(RunLocked, match="does not say what it does"), locks.vault_locked(vault, URL, tmp_path):
            pass
        answering.join()


@linux
def test_askers_who_never_go_do_not_keep_the_lock_from_being_given_back(tmp_path: Path, vault: Vault) -> None:
    with ExitStack() as askers:
        with locks.vault_locked(vault, URL, tmp_path):
            for _ in range(40):
                link = askers.enter_context(socket.socket(socket.AF_UNIX))
                link.connect(b"\0" + locks.name_of_vault(vault, URL).encode())
        with locks.vault_locked(vault, URL, tmp_path):
            pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glacier-purge/")]


def test_a_lock_file_that_was_replaced_while_it_was_waited_for_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    file = folder.path / locks.LOCK_FILE
    file.touch()
    real, replaced = fcntl.flock, list[int]()

    def flock(handle: int, how: int) -> None:
        real(handle, how)
        if not replaced:
            replaced.append(handle)
            file.unlink()
            file.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with folder.held():
            assert file.read_bytes().startswith(b"process ")


def test_a_lock_that_cannot_be_taken_stops_before_anything_is_sent(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    (folder.path / locks.LOCK_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskFailed, match="Nothing was sent"), folder.locked(vault, URL):
        pass
    with pytest.raises(UsageError, match="nobody can tell"):
        folder.is_locked()
    assert not (tmp_path / "elsewhere").exists()
    (folder.path / locks.LOCK_FILE).unlink()

    def no_locks(handle: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(DiskFailed, match=r"has no locks \(flock: Operation not supported"), folder.held():
        pass


@linux
def test_a_system_that_gives_no_name_is_not_taken_for_a_free_one(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: str) -> bytes:
        return b"\0" + b"x" * 200

    monkeypatch.setattr(locks, "_address", refused)
    with pytest.raises(DiskFailed, match="Nothing was sent"), locks.vault_locked(vault, URL, tmp_path):
        pass


def test_the_file_that_stands_in_for_a_name_is_everybodys(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_HAS_ABSTRACT_NAMES", False)
    monkeypatch.setattr(locks, "_EVERYBODYS", tmp_path)
    with locks.vault_locked(vault, URL, tmp_path):
        (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o666
