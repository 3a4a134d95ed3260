from __future__ import annotations

from datetime import UTC, datetime

import pytest

from glacier_purge.errors import (
    ApprovalWanted,
    AuditDamaged,
    ConfigurationFailed,
    CredentialsFailed,
    DiskFailed,
    GivenUp,
    GlacierPurgeError,
    Interrupted,
    Needs,
    Pending,
    PlanRefused,
    RunLocked,
    RunStopped,
    ServiceRefused,
    one_error,
)


def test_a_message_keeps_beginning_and_end_whatever_stands_in_it() -> None:
    assert str(RunStopped("short")) == "short"
    said = str(RunStopped("x" * 1_000_000 + ". Put it back."))
    assert len(said) < 5_000
    assert said.startswith("xxx")
    assert "[... 996,014 characters ...]" in said
    assert said.endswith("x. Put it back.")


def test_one_error_is_raised_as_itself_however_deep_it_sits() -> None:
    cause, error = KeyError("why"), LookupError("only")
    error.__cause__ = cause
    with pytest.raises(LookupError, match="only") as caught, one_error():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [error])])
    assert caught.value is error
    assert caught.value.__cause__ is cause


def test_one_error_that_several_tasks_were_told_of_is_still_one() -> None:
    error = OSError("the disk")
    with pytest.raises(OSError, match="the disk") as caught, one_error():
        raise ExceptionGroup("outer", [error, ExceptionGroup("inner", [error])])
    assert caught.value is error


def test_several_errors_stay_together() -> None:
    with pytest.raises(ExceptionGroup) as caught, one_error():
        raise ExceptionGroup("both", [ValueError(), TypeError()])
    assert len(caught.value.exceptions) == 2


def test_other_errors_and_none_pass() -> None:
    with one_error():
        pass
    with pytest.raises(ValueError, match="plain"), one_error():
        raise ValueError("plain")


@pytest.mark.parametrize(
    ("error", "needs"),
    [
        (Pending("the service", until=datetime(2026, 11, 30, tzinfo=UTC)), Needs.TIME),
        (ApprovalWanted("somebody's approval", digest="0" * 64), Needs.APPROVAL),
        (RunLocked("another process works on it"), Needs.TIME),
        (RunStopped("no answer"), Needs.TIME),
        (GivenUp("five rounds"), Needs.OPERATOR),
        (Interrupted("Ctrl-C"), Needs.OPERATOR),
        (DiskFailed("full"), Needs.OPERATOR),
        (CredentialsFailed("none"), Needs.CREDENTIALS),
        (ConfigurationFailed("no such profile"), Needs.CREDENTIALS),
        (PlanRefused("too old"), Needs.OPERATOR),
        (ServiceRefused("denied"), Needs.OPERATOR),
        (AuditDamaged("changed", file="plan.json", offset_bytes=0), Needs.OPERATOR),
        (GlacierPurgeError("whatever comes"), Needs.OPERATOR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_says_whether_a_clock_or_a_person_helps(error: GlacierPurgeError, needs: Needs) -> None:
    assert error.needs is needs


def test_what_only_a_person_can_give_names_no_time() -> None:
    wanted = ApprovalWanted("somebody's approval", digest="0" * 64)
    assert wanted.until is None
    assert str(wanted) == "waiting for somebody's approval."
