from __future__ import annotations

import pytest

from glacier_purge.errors import one_error


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
