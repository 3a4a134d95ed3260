"""Replies as bytes."""

from __future__ import annotations

import pytest

from glacier_simulator.exchange import Response
from glacier_simulator.wire import body_pieces, read_request, render_head


def whole(response: Response, *, keep_alive: bool = True) -> bytes:
    return render_head(response, date=b"today", keep_alive=keep_alive) + b"".join(body_pieces(response))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(204, []), b"HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n"),
        (Response(200, [], b"ab"), b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 2\r\n\r\nab"),
        (Response(200, [], [b"a", b"b"], 2), b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 2\r\n\r\nab"),
        (
            Response(200, [], [b"a", b"", b"bc"]),
            b"HTTP/1.1 200 OK\r\nDate: today\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        ),
        (Response(404, []), b"HTTP/1.1 404 Not Found\r\nDate: today\r\nContent-Length: 0\r\n\r\n"),
        (
            Response(599, [("Content-Length", "9")], b"ab"),
            b"HTTP/1.1 599 Unknown\r\nDate: today\r\nContent-Length: 9\r\n\r\nab",
        ),
    ],
)
def test_a_reply_is_rendered(response: Response, expected: bytes) -> None:
    assert whole(response) == expected


def test_the_last_reply_of_a_connection_says_so() -> None:
    assert b"\r\nConnection: close\r\n" in whole(Response(204, []), keep_alive=False)


def test_a_header_cannot_hold_a_second_one_nor_what_latin_1_cannot_write() -> None:
    head = whole(Response(204, [("x-amz-archive-description", "a\r\nSet-Cookie: b\x00 Ω")]))
    assert b"a  Set-Cookie: b  ?\r\n" in head
    assert head.count(b"\r\n") == 4


def test_a_request_keeps_its_path_as_it_came_and_has_its_query_decoded() -> None:
    request = read_request(b"GET", b"/-/vaults/a%2Fb?limit=5&marker=a%3Ab&empty", [(b"X-One", b"1")], b"")
    assert (request.method, request.path) == ("GET", "/-/vaults/a%2Fb")
    assert request.query == {"limit": "5", "marker": "a:b", "empty": ""}
    assert request.headers == {"x-one": "1"}
