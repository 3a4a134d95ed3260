"""Secrets out of text that is about to be shown.

Foreign libraries put headers, canonical requests and credentials into messages and log lines.  Matching errs towards
hiding: an archive id (138 characters) and a SHA-256 in hexadecimal are left whole, because people must be able to
read them, and every other run of 40 characters that could be a secret key is not.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_ACCESS_KEY = re.compile(r"\b(A[KS]IA)[A-Z0-9]{8,}([A-Z0-9]{4})\b")
"""Access key ids are not secret, but they name a person: first four and last four characters tell which."""

_NAMED_SECRET = re.compile(
    r"""(?ix)
    ( \b (?: x-amz-security-token | authorization | signature | (?:aws_?)?secret_?access_?key | secret_?key
           | (?:aws_?)?session_?token | [a-z_-]* token (?= ["']? \s* [:=] \s* ["']? \S{8} )
           | [a-z_-]* (?: secret | password | passwd | passphrase ) )
      ["']? \s* [:=] \s* (?! (?: [bu]?["'] )? \[hidden\] ) (?: [bu](?=["']) )? ["']? )
    (?: AWS4-HMAC-SHA256 [^"'\r\n]* | (?: Basic | Bearer ) \s+ \S+ | [^\s"',;&}\])]+ )
    """
)

_LOOSE_SECRET = re.compile(r"(?<![A-Za-z0-9/+_-])(?![0-9a-f]{40}\b)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])")
"""A secret access key without a name beside it: 40 characters of base64. A SHA-1 in hexadecimal is not one."""

_URL_PASSWORD = re.compile(r"(://[^\s/@:?#]*:)(?!\[hidden\])[^\s/@]+(?=@)")
"""That of a proxy, mostly: libraries tell the whole address of what they could not reach."""

_LOOSE_TOKEN = re.compile(
    r"""(?x) (?<![A-Za-z0-9/+_-])
    (?: (?! [A-Za-z0-9_-]{138} (?![A-Za-z0-9/+=_-]) ) (?: IQoJ | FwoG | FQoG | AQoD ) [A-Za-z0-9/+=_-]{12,}
      | eyJ [A-Za-z0-9_-]{6,} \. [A-Za-z0-9_-]+ (?: \. [A-Za-z0-9_-]* )? )
    """
)
"""A session token of STS, or a JSON Web Token, without a name beside it: by how they begin, as an archive id may."""

SECRET_NAMES = frozenset(
    {
        "authorization",
        "aws_secret_access_key",
        "aws_session_token",
        "password",
        "secret_access_key",
        "secret_key",
        "session_token",
        "x_amz_security_token",
    }
)
"""Fields of a log event whose values are never shown; in lower case, hyphens as underscores."""


def redact(text: str) -> str:
    """Return ``text`` with secrets replaced by ``[hidden]`` and access key ids shortened."""
    text = _NAMED_SECRET.sub(rf"\g<1>{HIDDEN}", text)
    text = _ACCESS_KEY.sub(r"\1…\2", text)
    text = _URL_PASSWORD.sub(rf"\g<1>{HIDDEN}", text)
    text = _LOOSE_TOKEN.sub(HIDDEN, text)
    return _LOOSE_SECRET.sub(HIDDEN, text)
