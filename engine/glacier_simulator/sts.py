"""AWS's Security Token Service as far as a purge needs it: AssumeRole and GetCallerIdentity, in the query protocol.

It is asked at the same address as the vaults, by ``POST /`` with a form; what it says is XML, with codes of its own for
what is wrong with a signature.  A key that is good for nothing in Amazon Glacier may still ask who it is.

Source: AWS Security Token Service API Reference; botocore's model 2011-06-15.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from glacier_simulator import dates
from glacier_simulator.account import Caller
from glacier_simulator.exchange import Request, Response
from glacier_simulator.refusal import Refusal
from glacier_simulator.roles import DURATION_SECONDS, Asked, Roles, StsRefusal

SERVICE = "sts"
_VERSION = "2011-06-15"
_XMLNS = f"https://sts.amazonaws.com/doc/{_VERSION}/"
_XML = ("Content-Type", "text/xml")
_SIGNATURE_CODES = {
    "UnrecognizedClientException": (403, "InvalidClientTokenId"),
    "ExpiredTokenException": (403, "ExpiredToken"),
    "InvalidSignatureException": (403, "SignatureDoesNotMatch"),
    "MissingAuthenticationTokenException": (403, "MissingAuthenticationToken"),
    "IncompleteSignatureException": (400, "IncompleteSignature"),
}
"""What the query protocol calls what is wrong with who asks."""


class _Asking(NamedTuple):
    caller: Caller
    form: dict[str, str]
    roles: Roles
    now: float

    def text(self, name: str) -> str:
        """A member that has to be there."""
        value = self.form.get(name)
        if not value:
            member = name[0].lower() + name[1:]
            why = f"1 validation error detected: Value null at '{member}' failed to satisfy constraint"
            raise StsRefusal(400, "ValidationError", f"{why}: Member must not be null")
        return value


def action_of(request: Request) -> str | None:
    """What STS is asked for; None for a request that is none of its."""
    if request.method != "POST" or request.path != "/":
        return None
    return _form(request).get("Action", "")


def answer(
    request: Request, identify: Callable[[], Caller], roles: Roles, now: float, request_id: Callable[[], str]
) -> Response:
    """Answer a request to STS. ``identify`` says who signed it, or raises ``Refusal``."""
    try:
        form = _form(request)
        action = form.get("Action", "")
        caller = identify()
        if form.get("Version") != _VERSION or action not in _ACTIONS:
            what = (
                f"Could not find operation {action[:64]} for version {form.get('Version', 'NO_VERSION_SPECIFIED')[:32]}"
            )
            raise StsRefusal(400, "InvalidAction", what)
        result = _ACTIONS[action](_Asking(caller, form, roles, now))
    except Refusal as no:
        status, code = _SIGNATURE_CODES[no.code]
        return _refused(StsRefusal(status, code, no.message), request_id())
    except StsRefusal as refused:
        return _refused(refused, request_id())
    told = f"<RequestId>{request_id()}</RequestId>"
    body = (
        f'<{action}Response xmlns="{_XMLNS}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata>{told}</ResponseMetadata></{action}Response>"
    )
    return Response(200, [_XML], body.encode())


def _assume_role(asking: _Asking) -> str:
    form = asking.form
    try:
        duration_seconds = int(form.get("DurationSeconds", DURATION_SECONDS))
    except ValueError:
        raise StsRefusal(400, "MalformedInput", "DurationSeconds is no whole number") from None
    asked = Asked(
        role_arn=asking.text("RoleArn"),
        session_name=asking.text("RoleSessionName"),
        external_id=form.get("ExternalId"),
        tags=_tags(form),
        duration_seconds=duration_seconds,
    )
    key, credential = asking.roles.assume(asking.caller, asked, asking.now)
    assert credential.expires is not None
    return (
        "<AssumedRoleUser>"
        f"{_element('AssumedRoleId', _user_id(credential.principal_arn))}{_element('Arn', credential.principal_arn)}"
        "</AssumedRoleUser><Credentials>"
        f"{_element('AccessKeyId', key)}{_element('SecretAccessKey', credential.secret)}"
        f"{_element('SessionToken', credential.session_token or '')}"
        f"{_element('Expiration', dates.in_seconds(credential.expires))}"
        "</Credentials>"
    )


def _get_caller_identity(asking: _Asking) -> str:
    caller = asking.caller
    named = {"Arn": caller.principal_arn, "UserId": _user_id(caller.principal_arn), "Account": caller.account_id}
    return "".join(_element(name, value) for name, value in named.items())


_ACTIONS: dict[str, Callable[[_Asking], str]] = {
    "AssumeRole": _assume_role,
    "GetCallerIdentity": _get_caller_identity,
}


def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _tags(form: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """``Tags.member.1.Key`` and ``.Value``, and so on. Raises ``StsRefusal`` for a list with a gap, or half a tag."""
    named = {name.removeprefix("Tags.member.") for name in form if name.startswith("Tags.member.")}
    tags = []
    for number in range(1, len(named) // 2 + 1):
        key, value = (form.get(f"Tags.member.{number}.{part}") for part in ("Key", "Value"))
        if key is not None and value is not None:
            tags.append((key, value))
    if 2 * len(tags) != len(named):
        raise StsRefusal(400, "MalformedInput", "Tags is no list of keys with their values")
    return tuple(tags)


def _user_id(principal_arn: str) -> str:
    """An id that is the same for the same role or user; of a session with its name behind it."""
    kind, _, name = principal_arn.split(":")[5].partition("/")
    role, _, session = name.partition("/")
    plain = "".join(filter(str.isalnum, role.upper()))[:16]
    return f"AROA{plain:0<16}:{session}" if kind == "assumed-role" else f"AIDA{plain:0<16}"


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _refused(no: StsRefusal, request_id: str) -> Response:
    body = (
        f'<ErrorResponse xmlns="{_XMLNS}"><Error><Type>Sender</Type>{_element("Code", no.code)}'
        f"{_element('Message', no.message)}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(no.status, [_XML], body.encode())
