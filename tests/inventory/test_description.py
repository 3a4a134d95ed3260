"""Names of files in the descriptions of the programs that people upload with."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.inventory.description import readable
from glacier_purge.plan import selection as s
from glacier_purge.plan.reasons import DELETE, DESCRIPTION_DIFFERS
from tests.plan.archives import archive

NAME = "Pictures/2014 Summer/Ü+ber_den-Wolken.jpg"


def fastglacier(name: str, *, version: int = 4, between: str = "", more: str = "") -> str:
    path = b64encode(name.encode()).decode()
    return between.join(("<m>", f"<v>{version}</v>", f"<p>{path}</p>", f"<lm>20120821T170824Z</lm>{more}", "</m>"))


def mtglacier(name: str, *, version: str = "mt2") -> str:
    text = json.dumps({"filename": name, "mtime": "20131105T000000Z"}, ensure_ascii=False).encode()
    if version == "mt1":
        text = text.decode("latin-1").encode()
    return f"{version} {urlsafe_b64encode(text).decode().rstrip('=')}"


def cloudberry(path: str) -> str:
    written = path.encode("utf-7").decode()
    return json.dumps({"Path": written, "UTCDateModified": "20120906T103822Z", "Flags": 0}, separators=(",", ":"))


@pytest.mark.parametrize(
    ("description", "name"),
    [
        (fastglacier(NAME), NAME),
        (fastglacier(NAME, version=2), NAME),
        (fastglacier(NAME, version=3, more="<ce>1:1:4340ebcf79712dc5e3ef7d50bab98ba5</ce>"), NAME),
        (fastglacier(NAME, between="\n  "), NAME),
        ("<m><v>4</v><p>Z2xhY2llci1kZy5wZGY=</p><lm>20120821T170824Z</lm></m>", "glacier-dg.pdf"),  # FastGlacier's own
        ("<m><v>4</v><p>L3NhbXBsZS8xMjM0LnBkZg==</p><lm>20190501T100059Z</lm></m>", "/sample/1234.pdf"),  # QNAP
        (mtglacier(NAME), NAME),
        (mtglacier(NAME, version="mt1"), NAME),
        (cloudberry("c:\\Pictures\\Größe + Summer.jpg"), "c:\\Pictures\\Größe + Summer.jpg"),
        ('{"Path":"bucket/file.bin","UTCDateModified":"20120906T103822Z","Flags":3}', "bucket/file.bin"),
        ('{"UTCDateModified":"20120906T103822Z","Path":"bucket/file.bin"}', "bucket/file.bin"),
    ],
)
def test_the_name_of_the_file_is_read(description: str, name: str) -> None:
    assert readable(description) == name


@pytest.mark.parametrize(
    "description",
    [
        "",
        "photo 1.jpg",
        "5b1e7a7a-2c1f-4a0c-9d0e-0f3f6a3a2b10",  # Arq's objects
        "<m><v>4</v><p>!!!!</p></m>",
        "<m><v>4</v><p>/////w==</p></m>",  # no UTF-8
        "<m><v>9</v><p>Z2xhY2llcg==</p></m>",
        "<m><v>4</v><p></p></m>",
        "<m><v>4</v><p>Z2xhY2llci1kZy5wZGY=</p>",
        "mt2 ",
        "mt2 e30",  # {}
        "mt2 W10",  # []
        "mt3 eyJmaWxlbmFtZSI6ImEifQ",
        '{"Path":7}',
        '{"Path":""}',
        '{"Path":',
        '{"Path":"a\\ud800"}',
        '{"P' + "[" * 100_000,
    ],
)
def test_whatever_is_no_such_form_stays_as_it_is(description: str) -> None:
    assert readable(description) == description


@given(st.text(max_size=60), st.sampled_from([str, fastglacier, mtglacier, cloudberry]), st.integers(0, 80))
def test_any_text_gives_a_text(name: str, form: object, cut: int) -> None:
    assert callable(form)
    whole = form(name)
    assert readable(whole[:cut])[:1] is not None
    if form is not str and name:
        assert readable(whole) == name


@pytest.mark.parametrize("description", [fastglacier(NAME), mtglacier(NAME), cloudberry(NAME)])
@pytest.mark.parametrize("pattern", ["*Summer*", "/Summer.*Wolken/"])
def test_a_filter_looks_at_the_name_and_at_the_text(description: str, pattern: str) -> None:
    assert s.described_like(pattern).judge(archive(0, description=description)) == DELETE
    assert s.described_like(description[:3] + "*").judge(archive(0, description=description)) == DELETE
    assert s.described_like("*winter*").judge(archive(0, description=description)) == DESCRIPTION_DIFFERS
