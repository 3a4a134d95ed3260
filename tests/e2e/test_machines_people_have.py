"""Machines as people have them: network shares, WSL, Macs, containers, small limits; pretended where this one has none.

Either a command gets through, or it says in one sentence what the machine lacks and what to do, before the service
hears of it and with nothing left behind.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import os
import pwd
import stat
import subprocess
import sys
import tempfile
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from glacier_purge.api import fleet as fleet_room
from glacier_purge.run import windows
from glacier_purge.storage import file_system
from tests.e2e.desk import asked
from tests.e2e.shell import Shell
from tests.e2e.situations import Situation, check

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

Make = Callable[[Shell], tuple[str, ...]]
Machine = Callable[[pytest.MonkeyPatch, Shell], object]
RUN = frozenset({"run"})
ELSEWHERE = "Give a folder on a disk of this host"


class Row(NamedTuple):
    """``machine`` makes this one another, after the situation was made and for as long as the command takes."""

    machine: Machine
    situation: Situation


# -- machines ---------------------------------------------------------------------------------------------------------


def mounted(kind: str, source: str) -> Machine:
    """All that lies below the test's folder lies on a file system of this kind."""

    def machine(patch: pytest.MonkeyPatch, shell: Shell) -> None:
        mounts = shell.folder.with_name(f"{shell.folder.name}-mounts")
        mounts.write_text(
            "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
            f"40 22 0:40 / {shell.folder} rw,relatime shared:1 master:2 - {kind} {source} rw,vers=4\n"
        )
        patch.setattr(file_system, "_MOUNTS", mounts)

    return machine


def both(*machines: Machine) -> Machine:
    return lambda patch, shell: [machine(patch, shell) for machine in machines]


def without_locks(number: int) -> Machine:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return lambda patch, _: patch.setattr(fcntl, "flock", refuse)


def without_folder_fsync(number: int) -> Machine:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    return lambda patch, _: patch.setattr(os, "fsync", refuse)


def whose_files_are(**facts: int) -> Machine:
    """What is made has these rights or this owner, whatever was asked for."""
    fstat = os.fstat

    def told(descriptor: int) -> os.stat_result:
        mode, inode, device, links, owner, *rest = fstat(descriptor)
        return os.stat_result(
            (int(mode) | facts.get("rights", 0), inode, device, links, facts.get("owner", owner), *rest)
        )

    return lambda patch, _: patch.setattr(os, "fstat", told)


def as_it_is(_: pytest.MonkeyPatch, __: Shell) -> None:
    """This machine."""


def with_names_for_one(patch: pytest.MonkeyPatch, _: Shell) -> None:
    patch.setattr(fleet_room, "takes_names_for_one", lambda _: True)


def without_a_name_or_home(patch: pytest.MonkeyPatch, _: Shell) -> None:
    def unknown(uid: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for variable in ("HOME", "XDG_STATE_HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        patch.delenv(variable, raising=False)
    patch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()


def without_tzdata(patch: pytest.MonkeyPatch, _: Shell) -> None:
    def unknown(key: str) -> object:
        raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")

    patch.setattr(windows, "ZoneInfo", unknown)
    patch.setattr(windows, "available_timezones", set)


def variable(name: str, value: str) -> Machine:
    return lambda patch, _: patch.setenv(name, value)


def with_a_clock_that_leads_nowhere(patch: pytest.MonkeyPatch, shell: Shell) -> None:
    link = shell.folder.with_name(f"{shell.folder.name}-localtime")
    link.symlink_to("/usr/share/zoneinfo-that-is-not-there/Europe/Berlin")
    patch.setattr(windows, "_HOST_ZONE", link)
    patch.delenv("TZ", raising=False)


def without_temporary_folders(patch: pytest.MonkeyPatch, _: Shell) -> None:
    patch.setattr(tempfile, "tempdir", None)
    patch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nonexistent/tmp", "/nonexistent/var/tmp"])


def that_can_not_be_written(patch: pytest.MonkeyPatch, _: Shell) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    patch.setattr(Path, "mkdir", refuse)


def of_windows(patch: pytest.MonkeyPatch, _: Shell) -> None:
    patch.setattr(sys, "platform", "win32")


# -- commands ---------------------------------------------------------------------------------------------------------


def plan(shell: Shell) -> tuple[str, ...]:
    inventory = shell.simulator.inventory(shell.folder / "inventory.json")
    at = ("--endpoint-url", shell.simulator.endpoint_url, "--run-dir", str(shell.run_dir))
    return ("plan", "photos", "--inventory", str(inventory), *at)


def plan_in_a_folder_that_is_there(shell: Shell) -> tuple[str, ...]:
    shell.run_dir.mkdir()
    return plan(shell)


def at(shell: Shell) -> tuple[str, ...]:
    return ("--endpoint-url", shell.simulator.endpoint_url, "--region", "us-east-1", "--account-id", "123456789012")


def lifecycle(shell: Shell) -> tuple[str, ...]:
    return ("run", "photos", "--run-dir", str(shell.run_dir), "--no-wait", *at(shell))


def fetch(shell: Shell) -> tuple[str, ...]:
    return ("inventory", "fetch", "photos", "--to", str(shell.folder / "fetched"), "--no-wait", *at(shell))


def inspect(shell: Shell) -> tuple[str, ...]:
    return ("inventory", "inspect", str(shell.simulator.inventory(shell.folder / "inventory.json")))


def fleet_of(*names: str) -> Make:
    def make(shell: Shell) -> tuple[str, ...]:
        for name in names:
            asked(shell.simulator, "PUT", name)
        entries = "".join(f"[[vaults]]\nname = '{name}'\n" for name in names)
        (shell.folder / "fleet.toml").write_text(entries)
        return ("fleet", str(shell.folder / "fleet.toml"), "--run-dir", str(shell.run_dir), "--no-wait", *at(shell))

    return make


def with_windows(*hours: str) -> Make:
    return lambda _: ("apply", "nowhere", *(part for one in hours for part in ("--window", one)))


def planned_and(spoil: Callable[[Path], object], *command: str) -> Make:
    """A plan, something that is done in its folder, and a command about it; ``{digest}`` is the plan's."""

    def make(shell: Shell) -> tuple[str, ...]:
        digest = shell.planned()
        spoil(shell.run_dir)
        return (command[0], str(shell.run_dir), *(part.replace("{digest}", digest) for part in command[1:]))

    return make


def nothing(_: Path) -> None:
    """Leave it as it is."""


def in_the_place_of(name: str, what: str) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        if what == "a folder":
            (folder / name).mkdir()
        else:
            (folder / name).symlink_to(what)

    return spoil


def begun_and(command: Make, spoil: Callable[[Path], object]) -> Make:
    """A lifecycle or a fleet that was begun, something that is done in its folder, and the same command again."""

    def make(shell: Shell) -> tuple[str, ...]:
        again = command(shell)
        assert shell(*again).exit_code == 75
        spoil(shell.run_dir)
        return again

    return make


APPLY = ("apply", "--confirm-digest", "{digest}")
NFS = mounted("nfs4", "filer:/export")
MACHINES: dict[str, Row] = {
    # file systems that can't do what a run needs
    "NFS without locks": Row(
        both(NFS, without_locks(errno.ENOLCK)),
        Situation(plan, 2, ("is on nfs4 (filer:/export at ", "which has no locks (flock): No locks", ELSEWHERE)),
    ),
    "FUSE without locks": Row(
        both(mounted("fuse.s3fs", "s3fs"), without_locks(errno.ENOSYS)),
        Situation(plan, 2, ("fuse.s3fs (s3fs at ", "has no locks (flock): Function not implemented", ELSEWHERE)),
    ),
    "SMB without fsync of a folder": Row(
        both(mounted("cifs", r"//nas/my\040share"), without_folder_fsync(errno.EINVAL)),
        Situation(plan, 2, ("cifs (//nas/my share at ", "can't make a folder durable (fsync): Invalid", ELSEWHERE)),
    ),
    "FUSE without fsync of a folder": Row(
        both(mounted("fuse.sshfs", "host:"), without_folder_fsync(errno.ENOSYS)),
        Situation(plan, 2, ("fuse.sshfs (host: at ", "can't make a folder durable", ELSEWHERE)),
    ),
    "a folder that is there on NFS without locks": Row(
        both(NFS, without_locks(errno.ENOLCK)),
        Situation(plan_in_a_folder_that_is_there, 2, ("nfs4", "has no locks")),
    ),
    "a lifecycle on NFS without locks": Row(
        both(NFS, without_locks(errno.ENOLCK)), Situation(lifecycle, 2, ("nfs4", "has no locks", ELSEWHERE))
    ),
    "a fleet on SMB": Row(
        both(mounted("smb3", "//nas/x"), without_folder_fsync(errno.EINVAL)),
        Situation(fleet_of("photos"), 2, ("smb3", "can't make a folder durable", ELSEWHERE)),
    ),
    "an inventory fetched to SMB": Row(
        both(mounted("smb3", "//nas/x"), without_folder_fsync(errno.EINVAL)),
        Situation(fetch, 2, ("smb3", "can't make a folder durable", ELSEWHERE)),
    ),
    "no mounts to be read": Row(
        both(lambda patch, _: patch.setattr(file_system, "_MOUNTS", Path("/nonexistent")), without_locks(errno.ENOLCK)),
        Situation(plan, 2, ("is on this file system, which has no locks",)),
    ),
    "a disk that fails": Row(without_locks(errno.EIO), Situation(plan, 3, ("cannot be made: Input/output error",))),
    "WSL, where everything is 0777": Row(
        both(mounted("9p", r"C:\134"), whose_files_are(rights=0o777)),
        Situation(plan, 2, ("9p (C:\\ at ", "lets everybody write to what you make there", "not below /mnt/c")),
    ),
    "NFS that makes nobody of root": Row(
        both(NFS, whose_files_are(owner=65534)),
        Situation(plan, 2, ("nfs4", "gives what you make there to another user (number 65534)", ELSEWHERE)),
    ),
    "a plan that was moved to NFS without locks": Row(
        both(NFS, without_locks(errno.ENOLCK)),
        Situation(planned_and(nothing, *APPLY), 3, ("nfs4", "has no locks", "Nothing was sent", "Move it")),
    ),
    "a plan that was moved to SMB": Row(
        both(mounted("cifs", "//nas/x"), without_folder_fsync(errno.EINVAL)),
        Situation(planned_and(nothing, *APPLY), 2, ("is on cifs (//nas/x at ", "can't make a folder durable")),
    ),
    "a look at a run on NFS without locks": Row(
        both(NFS, without_locks(errno.ENOLCK)),
        Situation(
            planned_and(lambda folder: (folder / "lock").touch(0o600), "status"), 2, ("nobody can tell whether",)
        ),
    ),
    "a plan that was moved to WSL's C:": Row(
        both(mounted("9p", r"C:\134"), whose_files_are(rights=0o777)),
        Situation(planned_and(nothing, *APPLY), 2, ("can be written by other users", "keeps no rights: move it")),
    ),
    "a disk that nobody may write": Row(
        that_can_not_be_written, Situation(plan, 2, ("cannot be made: Read-only file system",))
    ),
    # names
    "two vaults of one name but for case, on a Mac": Row(
        with_names_for_one,
        Situation(fleet_of("Photos", "photos"), 2, ("would have one folder", "upper and lower case only"), None, RUN),
    ),
    "two vaults of one name but for case, elsewhere": Row(
        as_it_is, Situation(fleet_of("Photos", "photos"), 75, ("Photos", "photos"), None, RUN)
    ),
    # containers
    "a user without name or home": Row(without_a_name_or_home, Situation(plan, 0, ("60 archives",), None, RUN)),
    "no temporary folder": Row(
        without_temporary_folders, Situation(inspect, 3, ("No usable temporary directory found in",))
    ),
    "hours of a zone, without tzdata": Row(
        without_tzdata,
        Situation(
            with_windows("22:00-06:00 Europe/Berlin"), 2, ("no time zone 'Europe/Berlin'; install tzdata, or give",)
        ),
    ),
    "hours by UTC, without tzdata": Row(
        without_tzdata, Situation(with_windows("22:00-06:00 UTC"), 2, ("nowhere is not a run folder",))
    ),
    "hours of the host, whose TZ has no data": Row(
        both(without_tzdata, variable("TZ", "Europe/Berlin")),
        Situation(with_windows("22:00-06:00"), 2, ("TZ names 'Europe/Berlin', which this host has no data for",)),
    ),
    "hours of the host, whose TZ says the offsets": Row(
        both(without_tzdata, variable("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")),
        Situation(with_windows("22:00-06:00"), 2, ("nowhere is not a run folder",)),
    ),
    "hours of the host, whose clock leads nowhere": Row(
        both(without_tzdata, with_a_clock_that_leads_nowhere),
        Situation(with_windows("22:00-06:00"), 2, ("-localtime leads to ", "which is not there; install tzdata")),
    ),
    "hours of a zone that is misspelt": Row(
        as_it_is,
        Situation(with_windows("22:00-06:00 Europe/Bärlin"), 2, ("'Europe/Bärlin'; write it as Europe/Berlin",)),
    ),
    # something else in a file's place
    "a folder in the plan's place": Row(
        as_it_is, Situation(planned_and(in_the_place_of("plan.json", "a folder"), *APPLY), 2, ("plan.json is a symb",))
    ),
    "a device in the plan's place": Row(
        as_it_is, Situation(planned_and(in_the_place_of("plan.json", "/dev/zero"), *APPLY), 2, ("plan.json is a symb",))
    ),
    "a device in the inventory's place": Row(
        as_it_is,
        Situation(planned_and(in_the_place_of("inventory.json", "/dev/zero"), *APPLY), 2, ("inventory.json is a sym",)),
    ),
    "a folder in the lock's place": Row(
        as_it_is, Situation(planned_and(in_the_place_of("lock", "a folder"), *APPLY), 2, ("lock is a symbolic link",))
    ),
    "a device in the terms' place": Row(
        as_it_is,
        Situation(
            begun_and(lifecycle, in_the_place_of("terms.json", "/dev/zero")), 2, ("terms.json is a symbolic",), 0, RUN
        ),
    ),
    "a folder in the terms' place": Row(
        as_it_is,
        Situation(
            begun_and(lifecycle, in_the_place_of("terms.json", "a folder")), 2, ("terms.json is a symbolic",), 0, RUN
        ),
    ),
    "a device in the steps' place": Row(
        as_it_is,
        Situation(
            begun_and(lifecycle, in_the_place_of("lifecycle.jsonl", "/dev/zero")), 2, ("lifecycle.jsonl is a",), 0, RUN
        ),
    ),
    "a device in the place of a fleet's list": Row(
        as_it_is,
        Situation(
            begun_and(fleet_of("photos"), in_the_place_of("fleet.json", "/dev/zero")), 2, ("fleet.json is a symbolic",)
        ),
    ),
    # no Unix
    "Windows": Row(of_windows, Situation(plan, 2, ("it works on Linux and macOS. On Windows, run it in WSL.",))),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_is_enough_or_called_what_it_lacks(name: str, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    row = MACHINES[name]
    made = row.situation.make

    def make(shell: Shell) -> tuple[str, ...]:
        command = made(shell)
        row.machine(monkeypatch, shell)
        return command

    try:
        check(row.situation._replace(make=make), shell)
    finally:
        monkeypatch.undo()


def test_on_windows_nothing_is_imported_that_it_does_not_have() -> None:
    script = (
        "import sys; sys.platform = 'win32'\n"
        "for name in ('fcntl', 'pwd', 'resource', 'grp', 'termios'): sys.modules[name] = None\n"
        "from glacier_purge.cli import main\n"
        "code = main(['plan', 'photos'])\n"
        "import glacier_purge\n"
        "try: glacier_purge.make_plan\n"
        "except ImportError as error: print(error)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "glacier-purge: it works on Linux and macOS. On Windows, run it in WSL.\n",
    )
    assert done.stdout == "glacier_purge: it works on Linux and macOS. On Windows, run it in WSL.\n"


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 200}], indirect=True)
@pytest.mark.parametrize(
    ("limit", "lowered"),
    [
        ("ulimit -n 80", "in_flight.lowered"),
        ("ulimit -Sn 80", None),
        ("ulimit -n 70; ulimit -c 0", "in_flight.lowered"),
    ],
)
def test_a_limit_of_open_files_is_raised_or_kept_to(bench: Bench, limit: str, lowered: str | None) -> None:
    # sh -c 'ulimit -n 80; glacier-purge apply DIR --max-in-flight 64'
    digest = bench.plan()["digest"]
    process = bench.start(
        *bench.apply_arguments(digest, "--max-in-flight", "64"), under=("sh", "-c", f'{limit}; exec "$@"', "sh")
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert ("in_flight.lowered" in err) is (lowered is not None)
    assert len(bench.check_invariants()) == 200
