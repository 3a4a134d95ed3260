"""Every way to credentials, and every way in which it fails: exit code, what is said, what was asked of whom, and what
lies on the disk afterwards. A plan is asked for whose account only the service can tell, so credentials come first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider

from glacier_purge.aws.mfa import NotAnsweredError, asked_at_terminal
from tests.aws.pretended_sts import CLOSES, HANGS, PretendedSts, refused, session_given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.shell import Said, Shell

KEYS = "aws_access_key_id = AKIASOURCE\naws_secret_access_key = secret\n"
ROLE = "role_arn = arn:aws:iam::123456789012:role/purge\n"
MFA = "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
SSO = (
    "[profile sso]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = us-east-1\n"
    "sso_account_id = 123456789012\nsso_role_name = purge\n"
)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example


@dataclass
class Company:
    """A machine on which somebody wants to plan: an AWS configuration, a home, and who gives credentials."""

    shell: Shell
    sts: PretendedSts
    monkeypatch: pytest.MonkeyPatch
    codes: list[str] = field(default_factory=list)
    """What the person at the terminal types; nobody is there when all is typed."""

    @property
    def home(self) -> Path:
        return self.shell.folder / "home"

    @property
    def role_cache(self) -> Path:
        return self.home / ".aws/cli/cache"

    def configuration(self, text: str) -> None:
        (self.home / ".aws/config").write_text(text)

    def variables(self, **values: str) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(name, value)

    def helper(self, script: str, *, mode: int = 0o700, profile: str = "default") -> None:
        file = self.home / "helper"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(mode)
        section = profile if profile == "default" else f"profile {profile}"
        self.configuration(f"[{section}]\ncredential_process = {file} --password hunter2\n")

    def answer(self, **changes: object) -> None:
        """A helper that prints this, besides what is right."""
        right = {"Version": 1, "AccessKeyId": "ASIAHELPER", "SecretAccessKey": "s", "SessionToken": "t"}
        document = {name: value for name, value in (right | changes).items() if value != "missing"}
        (self.home / "answer").write_text(json.dumps(document))
        self.helper(f"cat {self.home}/answer")

    def type_code(self, prompt: str, **_: object) -> str:
        if not self.codes:
            raise NotAnsweredError("nobody typed one within 300 s")
        return self.codes.pop(0)

    def plan(self, *options: str, run: str = "run") -> Said:
        inventory = self.shell.simulator.inventory(self.shell.folder / "inventory.csv", "csv")
        at = ("--endpoint-url", self.shell.simulator.endpoint_url, "--run-dir", str(self.shell.folder / run))
        return self.shell("plan", "photos", "--inventory", str(inventory), *at, *options)

    def requests(self) -> int:
        """What the service was asked so far."""
        return sum(self.shell.simulator.ledger()["operations"].values())

    def files(self) -> dict[str, str]:
        """Every file of this user's, by the hash of what it holds."""
        return {
            str(file.relative_to(self.shell.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in self.shell.folder.rglob("*")
            if file.is_file() and file.name != "inventory.csv"
        }


@pytest.fixture
def company(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with PretendedSts({"AssumeRole": session_given("AssumeRole")}) as sts:
        made = Company(shell, sts, monkeypatch)
        (made.home / ".aws").mkdir(parents=True)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        made.variables(
            HOME=str(made.home),
            AWS_CONFIG_FILE=str(made.home / ".aws/config"),
            AWS_SHARED_CREDENTIALS_FILE=str(made.home / ".aws/credentials"),
            AWS_ENDPOINT_URL_STS=sts.url,
            AWS_ENDPOINT_URL_SSO=sts.url,
        )
        for provider in (SSOProvider, SSOTokenProvider):  # where logins are kept is looked up when it is imported
            monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", str(made.home / ".aws/sso/cache"))
        without_terminal = partial(asked_at_terminal, terminal=str(made.home / "no-terminal"))
        monkeypatch.setattr("glacier_purge.aws.chain.asked_at_terminal", without_terminal)
        yield made


Prepare = Callable[[Company], object]


def at_a_terminal(company: Company, *codes: str) -> None:
    company.codes += codes
    company.monkeypatch.setattr("glacier_purge.aws.chain.asked_at_terminal", company.type_code)


def helper(script: str, **more: Any) -> Prepare:
    return lambda company: company.helper(script, **more)


def printing(**changes: object) -> Prepare:
    return lambda company: company.answer(**changes)


def printing_what_ends_in_five_minutes(company: Company) -> None:
    """From when it is made on, not from when the tests were collected."""
    company.answer(Expiration=(datetime.now(UTC) + timedelta(minutes=5)).isoformat())


def impatient(prepare: Prepare) -> Prepare:
    def prepared(company: Company) -> None:
        company.variables(GLACIER_PURGE_AWS__CREDENTIALS_TIMEOUT_SECONDS="1")
        prepare(company)

    return prepared


def role(more: str = "", sections: str = f"[profile base]\n{KEYS}", **answers: Any) -> Prepare:
    """A role that another profile may take, which has no region of its own."""

    def prepared(company: Company) -> None:
        company.configuration(f"[default]\n{ROLE}source_profile = base\n{more}{sections}")
        company.sts.answers |= answers

    return prepared


def role_where_nobody_listens(company: Company) -> None:
    role()(company)
    company.variables(AWS_ENDPOINT_URL_STS="http://127.0.0.1:1")


def role_with_code(*codes: str, **answers: Any) -> Prepare:
    def prepared(company: Company) -> None:
        role(MFA, **answers)(company)
        at_a_terminal(company, *codes)

    return prepared


def role_logged_in_before(kept: str) -> Prepare:
    """Without a terminal, but with what the AWS CLI keeps of the same profile."""

    def prepared(company: Company) -> None:
        role_with_code("111111")(company)
        assert company.plan(run="before").exit_code == 0
        (file,) = company.role_cache.iterdir()
        ends = (datetime.now(UTC) + timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M:%SUTC")
        file.write_text(kept.replace("ENDS", ends))
        company.sts.asked.clear()

    return prepared


def web_identity(token: str | None, **answers: Any) -> Prepare:
    def prepared(company: Company) -> None:
        file = company.home / "identity"
        if token is not None:
            file.write_text(token)
        company.variables(AWS_WEB_IDENTITY_TOKEN_FILE=str(file), AWS_ROLE_ARN="arn:aws:iam::123456789012:role/purge")
        company.sts.answers |= answers

    return prepared


def in_container(answer: Any) -> Prepare:
    def prepared(company: Company) -> None:
        company.sts.answers["/credentials"] = answer
        company.variables(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{company.sts.url}/credentials")

    return prepared


def on_a_machine_of_aws(answer: Any) -> Prepare:
    def prepared(company: Company) -> None:
        company.variables(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=company.sts.url)
        company.sts.answers["/latest/api/token"] = answer

    return prepared


def configured(text: str) -> Prepare:
    return lambda company: company.configuration(text)


def with_variables(**values: str) -> Prepare:
    return lambda company: company.variables(**values)


def single_sign_on(token: str | None, portal: Any = None) -> Prepare:
    def prepared(company: Company) -> None:
        company.configuration(SSO)
        company.variables(AWS_PROFILE="sso")
        company.sts.answers["/federation/credentials"] = portal
        if token is not None:
            cache = company.home / ".aws/sso/cache"
            cache.mkdir(parents=True)
            name = hashlib.sha1(b"https://acme.awsapps.com/start", usedforsecurity=False).hexdigest()
            (cache / f"{name}.json").write_text(token)

    return prepared


def logged_in_until(moment: datetime) -> str:
    return json.dumps({"accessToken": "t", "expiresAt": moment.strftime("%Y-%m-%dT%H:%M:%SZ")})


def without_a_home(company: Company) -> None:
    role()(company)
    company.variables(HOME="/proc/nowhere")


YESTERDAY, TOMORROW = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
PORTAL = json.dumps(
    {
        "roleCredentials": {
            "accessKeyId": "ASIASSO",
            "secretAccessKey": "s",
            "sessionToken": "t",
            "expiration": int(TOMORROW.timestamp() * 1000),
        }
    }
)
KEPT = json.dumps(
    {"Credentials": {"AccessKeyId": "ASIAKEPT", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "ENDS"}}
)
CONTAINER = json.dumps(
    {
        "AccessKeyId": "ASIACONTAINER",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RoleArn": "arn",
    }
)
ASSUME, WEB = "AssumeRole", "AssumeRoleWithWebIdentity"
GOOD_ROLE, GOOD_WEB = session_given(ASSUME), session_given(WEB)
HELPER = r"the helper \S+/home/helper \(credential_process of profile default\)"

# situation: (what the machine is like, exit code, what is said, what is asked of those who give credentials)
SITUATIONS: dict[str, tuple[Prepare, int, str, list[str]]] = {
    # -- a program that gives them
    "a helper": (printing(), 0, "", []),
    "a helper whose credentials end in five minutes": (
        printing_what_ends_in_five_minutes,
        0,
        "",
        [],
    ),
    "a helper that hangs": (impatient(helper("exec sleep 100")), 3, f"{HELPER} gave no answer within 1 s", []),
    "a helper that hangs in a program of its own": (impatient(helper("sleep 3")), 3, "gave no answer within 1 s", []),
    "a helper that fails": (
        helper(f"echo 'Token expired. aws_secret_access_key={SECRET}' >&2; exit 7"),
        253,
        rf'{HELPER} ended with exit code 7, saying "Token expired; aws_secret_access_key=\[hidden\]"',
        [],
    ),
    "a helper that fails without a word": (helper("exit 1"), 253, "exit code 1, saying nothing", []),
    "a helper that fails in another code than ours": (helper(r"printf '\377\376' >&2; exit 1"), 253, "code 1", []),
    "a helper that is killed": (helper("kill -9 $$"), 253, "was ended by signal 9", []),
    "a helper that prints a page": (helper("echo '<html>log in</html>'"), 253, "bytes that are no JSON object", []),
    "a helper that prints a list": (helper("echo '[1]'"), 253, "bytes that are no JSON object", []),
    "a helper that prints nothing": (helper("exit 0"), 253, "answered with nothing", []),
    "a helper that never stops printing": (helper("exec yes"), 253, "more than 65,536 bytes", []),
    "a helper that never stops complaining": (impatient(helper("yes >&2 & wait")), 3, "no answer within 1 s", []),
    "a helper of another version": (printing(Version=2), 253, "Version 2 instead of 1", []),
    "a helper without a secret": (printing(SecretAccessKey="missing"), 253, "no usable SecretAccessKey", []),
    "a helper with a null key": (printing(AccessKeyId=None), 253, "no usable AccessKeyId", []),
    "a helper with a number for a token": (printing(SessionToken=5), 253, "no usable SessionToken", []),
    "a helper with an end that is none": (printing(Expiration="soon"), 253, "no moment with its time zone", []),
    "a helper with an end of no time zone": (printing(Expiration="2100-01-01T00:00:00"), 253, "its time zone", []),
    "a helper whose credentials are over": (
        printing(Expiration=YESTERDAY.isoformat()),
        253,
        f"{HELPER} gave credentials that expired at",
        [],
    ),
    "a helper with a line break in its key": (printing(AccessKeyId="A\nX-Evil: 1"), 253, "characters", []),
    "a helper that is not there": (
        configured("[default]\ncredential_process = /nonexistent/helper --password hunter2\n"),
        253,
        "the helper /nonexistent/helper .* cannot be started: .*No such file",
        [],
    ),
    "a helper nobody may run": (helper("exit 0", mode=0o600), 253, "cannot be started: .*Permission denied", []),
    "a helper with a quote too few": (
        configured('[default]\ncredential_process = /bin/helper "x\n'),
        253,
        "credential_process of profile default is no command",
        [],
    ),
    # -- a role
    "a role": (role(), 0, "", [ASSUME]),
    "a role whose session is over when it comes": (
        role(AssumeRole=session_given(ASSUME, lasts=timedelta(hours=-1))),
        253,
        "over by this host's clock",
        [ASSUME],
    ),
    "a role by way of a role": (
        role("", f"[profile base]\n{ROLE}source_profile = bottom\n[profile bottom]\n{KEYS}"),
        0,
        "",
        [ASSUME, ASSUME],
    ),
    "a role for which a helper gives the key": (
        role("", "[profile base]\ncredential_process = /bin/false\n"),
        253,
        r"the helper /bin/false \(credential_process of profile base\) ended with exit code 1",
        [],
    ),
    "a role that nobody may take": (
        role(AssumeRole=refused(403, "AccessDenied", "User is not authorized")),
        253,
        "profile default is not given credentials: .*User is not authorized",
        [ASSUME],
    ),
    "a role while STS is down": (
        role(AssumeRole=refused(503, "ServiceUnavailable", "later")),
        3,
        "no answer",
        [ASSUME] * 3,
    ),
    "a role while STS throttles": (
        role(AssumeRole=refused(400, "Throttling", "Rate exceeded")),
        3,
        "Rate",
        [ASSUME] * 3,
    ),
    "a role while STS hangs": (
        impatient(role(AssumeRole=HANGS)),
        3,
        "STS's AssumeRole for profile default gave no answer within 1 s",
        [ASSUME],
    ),
    "a role while STS hangs up": (role(AssumeRole=CLOSES), 3, "no answer", [ASSUME] * 3),
    "a role while something else answers for STS": (role(AssumeRole=(200, "<html/>")), 3, "in between", [ASSUME]),
    "a role while a proxy refuses for STS": (
        role(AssumeRole=(403, "<html><body>blocked</body></html>")),
        3,
        "in between",
        [ASSUME],
    ),
    "a role where nobody listens": (
        role_where_nobody_listens,
        3,
        "no answer .*127.0.0.1:1",
        [],
    ),
    "a role that leads to itself": (
        configured(f"[default]\n{ROLE}source_profile = a\n[profile a]\n{ROLE}source_profile = default\n"),
        253,
        "the AWS configuration of profile default does not hold: .*[Ii]nfinite loop",
        [],
    ),
    "a role by a profile that is not there": (role("", ""), 253, "base", []),
    "a role without a home to keep it in": (without_a_home, 0, "", [ASSUME]),
    # -- a role that needs a code
    "a code where there is no terminal": (
        role(MFA),
        253,
        r"profile default needs a one-time code \(MFA\), and there is no terminal .*aws sts get-caller-identity --prof",
        [],
    ),
    "a code where nobody types one": (role_with_code(), 253, "nobody typed one within 300 s", []),
    "a code, asked for once": (role_with_code("111111"), 0, "", [ASSUME]),
    "no code, but its first half": (role_with_code("111"), 253, "what was typed is no code of six digits", []),
    "a code that was used before": (
        role_with_code("111111", "222222", AssumeRole=refused(403, "AccessDenied", "MultiFactorAuthentication failed")),
        253,
        "MultiFactorAuthentication failed.* each works once",
        [ASSUME],
    ),
    "a login of the AWS CLI that still holds": (role_logged_in_before(KEPT), 0, "", []),
    "a damaged login of the AWS CLI": (role_logged_in_before('{"Credentials": {'), 253, "nobody typed one", []),
    "a login of the AWS CLI that lacks a member": (role_logged_in_before('{"Credentials": {}}'), 253, "nobody", []),
    "a login of the AWS CLI that ends at no time": (
        role_logged_in_before(KEPT.replace("ENDS", "soon")),
        253,
        "nobody typed one",
        [],
    ),
    # -- a token of an identity, a login, a machine
    "a web identity": (web_identity("a.jwt", AssumeRoleWithWebIdentity=GOOD_WEB), 0, "", [WEB]),
    "a web identity whose token is over": (
        web_identity("a.jwt", AssumeRoleWithWebIdentity=refused(400, "ExpiredTokenException", "Token expired")),
        253,
        "Token expired.*write a new one",
        [WEB],
    ),
    "a web identity without a file": (web_identity(None), 253, "identity", []),
    "a login that was never made": (single_sign_on(None), 253, "Run `aws sso login --profile sso`", []),
    "a login that is over": (single_sign_on(logged_in_until(YESTERDAY)), 253, "`aws sso login --profile sso`", []),
    "a login by an sso-session that was never made": (
        configured(
            "[default]\nsso_session = acme\nsso_account_id = 123456789012\nsso_role_name = purger\n"
            "[sso-session acme]\nsso_region = us-east-1\nsso_start_url = https://acme.awsapps.com/start\n"
        ),
        253,
        "Token for acme does not exist.*Run `aws sso login --profile default`",
        [],
    ),
    "a role by a login that was never made": (
        configured(f"[default]\n{ROLE}source_profile = sso\n{SSO}"),
        253,
        "Run `aws sso login --profile sso`",
        [],
    ),
    "a login that holds": (
        single_sign_on(logged_in_until(TOMORROW), (200, PORTAL)),
        0,
        "",
        ["/federation/credentials"],
    ),
    "a login that was ended elsewhere": (
        single_sign_on(logged_in_until(TOMORROW), (401, '{"__type":"UnauthorizedException","message":"x"}')),
        253,
        "`aws sso login --profile sso`",
        ["/federation/credentials"],
    ),
    "a login that may not take the role": (
        single_sign_on(logged_in_until(TOMORROW), (403, '{"message":"No access"}')),
        253,
        "No access",
        ["/federation/credentials"],
    ),
    "a login while something else answers": (
        single_sign_on(logged_in_until(TOMORROW), (200, "<html>log in</html>")),
        3,
        "in between",
        ["/federation/credentials"],
    ),
    "a login that is damaged": (single_sign_on("{"), 253, "`aws sso login --profile sso`", []),
    "a login with the AWS CLI's own command": (
        configured("[default]\nlogin_session = arn:aws:iam::123456789012:user/me\n"),
        253,
        "`aws login --profile default`.*export-credentials",
        [],
    ),
    "a role by the AWS CLI's own login": (
        configured(f"[default]\n{ROLE}source_profile = me\n[profile me]\nlogin_session = arn\n"),
        253,
        "`aws login --profile me`",
        [],
    ),
    "a container": (in_container((200, CONTAINER)), 0, "", ["/credentials"]),
    "a container that hangs": (impatient(in_container(HANGS)), 3, "gave no answer within 1 s", ["/credentials"]),
    "a machine of AWS that hangs": (
        on_a_machine_of_aws(HANGS),
        253,
        "no AWS credentials were found",
        ["/latest/api/token", "/latest/meta-data/iam/security-credentials/"],
    ),
    # -- files and variables
    "nothing at all": (configured(""), 253, "no AWS credentials were found", []),
    "variables": (with_variables(AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="s"), 0, "", []),
    "variables, half of them": (with_variables(AWS_ACCESS_KEY_ID="A"), 253, "AWS_SECRET_ACCESS_KEY", []),
    "variables that are over": (
        with_variables(
            AWS_ACCESS_KEY_ID="A",
            AWS_SECRET_ACCESS_KEY="s",
            AWS_SESSION_TOKEN="t",
            AWS_CREDENTIAL_EXPIRATION=YESTERDAY.isoformat(),
        ),
        253,
        "expired",
        [],
    ),
    "a profile that is not there": (with_variables(AWS_PROFILE="gone"), 253, "gone", []),
    "a profile of half a key": (configured("[default]\naws_access_key_id = A\n"), 253, "aws_secret_access_key", []),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_way_to_credentials_leads_there_or_is_told_and_leaves_nothing_behind(
    company: Company, situation: str
) -> None:
    prepare, exit_code, told, asked = SITUATIONS[situation]
    prepare(company)
    before, requests = company.files(), company.requests()
    said = company.plan()
    assert (said.exit_code, said.err) == (exit_code, said.err)
    one_line = " ".join(said.err.split())
    assert re.search(told, one_line), one_line
    assert "Traceback" not in said.err
    if exit_code:
        assert said.err.startswith("glacier-purge: ")
        assert said.err.count("\n") == 1
    assert not any(secret in said.err for secret in (SECRET, "hunter2"))
    assert [one.action for one in company.sts.asked] == asked
    assert {one.region for one in company.sts.asked if one.action == ASSUME} <= {"us-east-1"}
    changed = {file for file, content in company.files().items() if before.get(file) != content}
    if exit_code == 0:
        assert company.requests() > requests
        assert any(file.startswith("run/") for file in changed)
    else:
        assert company.requests() == requests
        assert {file for file in changed if not file.startswith(("state/", "home/.aws/cli/cache/"))} == set()


def test_one_code_serves_the_commands_of_an_hour(company: Company) -> None:
    role_with_code("111111")(company)
    assert company.plan("--in-retrieval", "hold").exit_code == 0
    assert company.shell("doctor", "photos", "--endpoint-url", company.shell.simulator.endpoint_url).exit_code in {0, 1}
    assert company.plan(run="another").exit_code == 0
    assert [one.parameters["TokenCode"] for one in company.sts.asked] == ["111111"]
    (kept,) = company.role_cache.iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_person_who_types_a_code_slowly_does_not_keep_planning_from_its_look_at_retrievals(company: Company) -> None:
    def slowly(_: str, **__: object) -> str:
        time.sleep(1.0)
        return "111111"

    role(MFA)(company)
    company.monkeypatch.setattr("glacier_purge.aws.chain.asked_at_terminal", slowly)
    company.monkeypatch.setattr("glacier_purge.plan.in_retrieval.UNASKED_PATIENCE_SECONDS", 0.9)
    inventory = company.shell.simulator.inventory(company.shell.folder / "inventory.json")  # names its account
    assert company.shell.plan(inventory).exit_code == 0
    assert json.loads((company.shell.run_dir / "run.json").read_bytes())["retrievals_looked_at"] is True


def test_a_start_without_credentials_says_why_and_sends_nothing(company: Company) -> None:
    with_variables(AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="s")(company)
    digest = company.shell.planned()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        company.monkeypatch.delenv(name)
    impatient(helper("exec sleep 100"))(company)
    requests = company.requests()
    said = company.shell.apply(digest)
    assert said.exit_code == 3
    assert re.search(f"{HELPER} gave no answer within 1 s", " ".join(said.err.split()))
    assert "was answered with" not in said.err
    assert company.requests() == requests


def test_a_helper_that_was_given_up_is_ended(company: Company) -> None:
    impatient(helper(f"echo $$ > {company.home}/pid; exec sleep 100"))(company)
    assert company.plan().exit_code == 3
    process = int((company.home / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
