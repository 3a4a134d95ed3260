"""Answers that are none, byte for byte: what proxies, portals and broken middleboxes put in the service's place."""

from __future__ import annotations

from tests.glacier.raw_server import refusal, reply

PAGE = b"<html><title>Log in to WiFi</title></html>"
JSON = "Content-Type: application/json"
NONE = b'{"code":"ResourceNotFoundException","message":"No vault lock policy is set","type":"Client"}'
DENIED = b'{"code":"AccessDeniedException","message":"not authorized","type":"Client"}'

SUCCESSES: dict[str, bytes] = {
    "a body of nothing": reply("200 OK", JSON),
    "an object of nothing": reply("200 OK", JSON, body=b"{}"),
    "a list": reply("200 OK", JSON, body=b"[]"),
    "null": reply("200 OK", JSON, body=b"null"),
    "a text": reply("200 OK", JSON, body=b'"none"'),
    "a number": reply("200 OK", JSON, body=b"0"),
    "a page that says it is JSON": reply("200 OK", JSON, body=PAGE),
    "half an object": reply("200 OK", JSON, body=b'{"Policy":'),
    "an object and more": reply("200 OK", JSON, body=b"{}{}"),
    "bytes that are no text": reply("200 OK", JSON, body=b'{"\xff":1}'),
    "a mark before the text": reply("200 OK", JSON, body=b"\xef\xbb\xbf{}"),
    "nesting without end": reply("200 OK", JSON, body=b'{"a":' + b"[" * 20_000),
    "a number of 5,000 digits": reply("200 OK", JSON, body=b'{"a":' + b"9" * 5_000 + b"}"),
    "another question's answer": reply("200 OK", JSON, body=b'{"Rules":[{"Strategy":"FreeTier"}]}'),
    "members of null": reply(
        "200 OK", JSON, body=b'{"Policy":null,"State":null,"Tags":null,"VaultARN":null,"JobList":null,"VaultList":null}'
    ),
    "members of other types": reply(
        "200 OK", JSON, body=b'{"Policy":{},"State":1,"Tags":[],"VaultARN":7,"JobList":{},"VaultList":"","JobId":[]}'
    ),
    "a refusal that says it is a success": reply("200 OK", JSON, body=NONE),
    "no content, and a body of nothing": reply("203 Non-Authoritative Information", JSON, body=b"{}"),
    "reset content": reply("205 Reset Content"),
    "an object that was packed": reply("200 OK", JSON, "Content-Encoding: gzip", body=b"{}"),
    "several": reply("207 Multi-Status", JSON, body=b"{}"),
}
"""All of them signed: they carry a request id."""

REFUSALS: dict[str, bytes] = {
    "none, with nothing to it": reply("404 Not Found"),
    "none, with an object of nothing": reply("404 Not Found", JSON, body=b"{}"),
    "none, with a list": reply("404 Not Found", JSON, body=b"[]"),
    "none, with a page": reply("404 Not Found", "Content-Type: text/html", body=PAGE),
    "none, with a code that is none": reply("404 Not Found", JSON, body=b'{"code":404,"message":[]}'),
    "none, by a header only": reply("404 Not Found", "x-amzn-ErrorType: ResourceNotFoundException", body=PAGE),
    "none, with the status of a denial": reply("403 Forbidden", JSON, body=NONE),
    "none, with the status of a bad request": reply("400 Bad Request", JSON, body=NONE),
    "none, with a server's status": reply("500 Error", JSON, body=NONE),
    "a denial, with nothing to it": reply("403 Forbidden"),
    "a denial, with a page": reply("403 Forbidden", "Content-Type: text/html", body=PAGE),
    "a denial, with the status of none": reply("404 Not Found", JSON, body=DENIED),
    "a redirect": reply("302 Found", "Location: http://login.invalid/", body=PAGE),
    "a redirect within the service": reply("307 Temporary Redirect", "Location: /"),
    "a refusal cut to half": reply("400 Bad Request", JSON, body=b'{"code":"InvalidParam'),
    "gone": reply("410 Gone", JSON, body=NONE),
    "a fault of the service's": refusal("500 Error", "ServiceUnavailableException"),
    "a fault that is a list": reply("500 Error", JSON, body=b"[]"),
    "a throttle": refusal("400 Bad Request", "ThrottlingException", "Rate exceeded"),
}
"""Signed as well."""

UNSIGNED: dict[str, bytes] = {
    "a login page": reply("200 OK", "Content-Type: text/html", body=PAGE, request_id=None),
    "a list of somebody's": reply("200 OK", JSON, body=b"[]", request_id=None),
    "no content of somebody's": reply(request_id=None),
    "a page that is not there": reply("404 Not Found", "Content-Type: text/html", body=PAGE, request_id=None),
    "none of somebody's": reply("404 Not Found", JSON, body=NONE, request_id=None),
    "none of an empty request id": reply("404 Not Found", JSON, body=NONE, request_id=""),
    "a denial of somebody's": reply("403 Forbidden", JSON, body=DENIED, request_id=None),
    "a denial of an empty request id": reply("403 Forbidden", JSON, body=DENIED, request_id=""),
    "a proxy that wants to know who asks": reply("407 Proxy Authentication Required", body=PAGE, request_id=None),
    "a gateway": reply("502 Bad Gateway", body=PAGE, request_id=None),
    "a portal": reply("511 Network Authentication Required", body=PAGE, request_id=None),
}

ALL = SUCCESSES | REFUSALS | UNSIGNED
