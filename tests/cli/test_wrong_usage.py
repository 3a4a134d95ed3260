"""What was wrong with a command line is said by what was typed, in words that need no knowledge of the parser."""

from __future__ import annotations

import pytest

from glacier_purge.cli import main
from glacier_purge.cli.app import build
from glacier_purge.cli.choice_options import RecordOptions
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import AwsOptions, PaceOptions, SafetyOptions, option_of_setting
from glacier_purge.settings import Settings

PLAN = ("plan", "photos", "--inventory", "inventory.json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan",), "plan needs VAULT, which is missing."),
        (("run",), "run needs VAULT, which is missing."),
        (("apply",), "apply needs RUN-DIR, which is missing."),
        (("inventory", "inspect"), "inventory inspect needs FILE, which is missing."),
        (("rate", "run"), "rate needs MAX-RATE, which is missing."),
        (("plan", "photos"), "plan needs --inventory, which is missing."),
        (("plan", "photos", "--inventry", "x"), "needs --inventory, which is missing. Did you mean it by --inventry?"),
        (("apply", "run", "--window"), "--window was given without a value."),
        (("rate", "run", "x"), "MAX-RATE 'x' is not a number or none."),
        (("rate", "run", "0"), "MAX-RATE 0 has to be above 0, or none."),
        (("rate", "run", "nan"), "MAX-RATE nan has to be above 0, or none."),
        (("apply", "run", "--max-rate", "x"), "--max-rate 'x' is not a number."),
        (("apply", "run", "--max-rate", "-1"), "--max-rate is -1.0: it has to be greater than 0."),
        (("apply", "run", "--max-rate", "nan"), "--max-rate is nan: it has to be a finite number."),
        (("apply", "run", "--max-in-flight", "1.5"), "--max-in-flight '1.5' is not a whole number."),
        (("apply", "run", "--max-in-flight", "0"), "--max-in-flight is 0: it has to be"),
        (("apply", "run", "--window", "25:00"), "--window is '25:00': '25:00' is not a window of hours"),
        (("apply", "run", "--window", "22:00-25:00"), "--window is '22:00-25:00': '22:00-25:00': there is no 25:00"),
        (("apply", "run", "--leave", "95%"), "--leave 95% is no part that can be left"),
        (("apply", "run", "--max-archives", "-3"), "--max-archives is -3: it has to be"),
        (("apply", "run", "--max-bytes", "much"), "--max-bytes 'much' is not a size"),
        (("apply", "run", "--max-duration", "8"), "--max-duration '8' is not a span of time"),
        (("apply", "run", "--max-duration", "400d"), "--max-duration is 34560000: it has to be"),
        (("apply", "run", "--inventory-max-age", "0s"), "--inventory-max-age is 0: it has to be"),
        (("apply", "run", "--account-id", "12"), "--account-id is '12': "),
        (("apply", "run", "--region", "us-eats-1"), "--region: Amazon Glacier has no vaults in region 'us-eats-1'."),
        (("apply", "run", "--endpoint-url", "http://1.2.3.4"), "--endpoint-url: endpoint 'http://1.2.3.4' is refused"),
        ((*PLAN, "--limit", "1.5"), "--limit '1.5' is not a whole number."),
        ((*PLAN, "--limit", "3", "--limit", "4"), "--limit was given more than once."),
        ((*PLAN, "films"), "plan takes no 'films'."),
        (("inventory", "fetch", "photos", "--inventory-max-age", "x"), "--inventory-max-age 'x' is not a span of time"),
        (("bench", "--rate", "2000000"), "--rate"),
    ],
    ids=" ".join,
)
def test_it_names_what_was_typed(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert not {"Parameter", "Tokens", "Literal", "float", "int", "argument:"} & set(printed.err.split())


@pytest.mark.parametrize(
    ("group", "section"),
    [(AwsOptions(), "aws"), (PaceOptions(), "pace"), (SafetyOptions(), "safety"), (RecordOptions(), "inventory")],
)
def test_every_setting_an_option_gives_is_known_by_that_option(
    group: AwsOptions | PaceOptions | SafetyOptions | RecordOptions, section: str
) -> None:
    known = {name for argument in build()["purge"].assemble_argument_collection() for name in argument.names}
    settings = getattr(Settings(), section)
    given = {"aws": {"profile", "region", "endpoint_url", "account_id", "transport", "ca_bundle", "verify_ssl"}}
    for name in given.get(section) or group.overrides():
        assert hasattr(settings, name)
        assert option_of_setting((section, name)) in known
