"""``make`` on a company's machine: uv, which fetches all but itself, trusts whom pip was told to trust."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.company import authority, issued, server_side

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPANY = authority()


@pytest.fixture
def clone(tmp_path: Path, repository: Path) -> Path:
    """A clone whose environment is made but for the step of uv's, and whose uv says how it was started."""
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    shutil.copy(repository / "Makefile", tmp_path)
    for name in ("requirements-bootstrap.lock", "requirements.lock", "pyproject.toml", ".venv/.uv"):
        (tmp_path / name).touch()
    (tmp_path / "company.pem").write_text(COMPANY.pem)
    script(programs / "python", f'exec {sys.executable} "$@"')
    script(programs / "uv", 'echo "$(env | grep -E "^(SSL_CERT|UV_)" | sort | tr "\\n" " ")" >> "$PWD/told"')
    return tmp_path


def script(file: Path, line: str) -> None:
    file.write_text(f"#!/bin/bash\n{line}\n")
    file.chmod(0o755)


def made(clone: Path, **variables: str) -> str:
    """Make the environment; say what uv was told."""
    strange = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_", "CURL_", "MAKE")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    done = subprocess.run(
        ["make", ".venv/.ready"],
        cwd=clone,
        env=clean | {"PIP_CONFIG_FILE": os.devnull} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *others = (clone / "told").read_text().splitlines()
    assert others == [first], "both steps are told the same"
    return first.strip()


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(
    ("variables", "settings", "told"),
    [
        ({"PIP_CERT": "company.pem"}, "", "SSL_CERT_FILE=company.pem"),
        ({"PIP_CERT": "the company's.pem"}, "", "SSL_CERT_FILE=the company's.pem"),
        ({"PIP_CERT": "company.pem", "SSL_CERT_FILE": "other.pem"}, "", "SSL_CERT_FILE=company.pem"),
        ({}, "[global]\ncert = company.pem\n", "SSL_CERT_FILE=company.pem"),
        ({}, "[install]\ncert = company.pem\n[global]\ncert = other.pem\n", "SSL_CERT_FILE=company.pem"),
        ({"PIP_CERT": "company.pem"}, "[global]\ncert = other.pem\n", "SSL_CERT_FILE=company.pem"),
        ({"REQUESTS_CA_BUNDLE": "company.pem"}, "", "SSL_CERT_FILE=company.pem"),
        ({"CURL_CA_BUNDLE": "company.pem"}, "", "SSL_CERT_FILE=company.pem"),
        ({"PIP_CERT": "/"}, "", "SSL_CERT_DIR=/"),
        ({"SSL_CERT_FILE": "company.pem"}, "", "SSL_CERT_FILE=company.pem UV_SYSTEM_CERTS=true"),
    ],
)
def test_uv_trusts_whom_pip_trusts(variables: dict[str, str], settings: str, told: str, clone: Path) -> None:
    if settings:
        (clone / "pip.conf").write_text(settings)
        variables = {"PIP_CONFIG_FILE": str(clone / "pip.conf")} | variables
    if "SSL_CERT_FILE" in variables and "PIP_CERT" not in variables:
        variables = {**variables, "SSL_CERT_FILE": str(clone / "company.pem")}
        told = told.replace("company.pem", str(clone / "company.pem"))
    assert made(clone, **variables) == told


def test_packages_are_had_from_an_index_that_only_the_company_vouches_for(clone: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    with index(clone) as url:
        fetch = f"pip install --no-config --no-cache --quiet --target fetched --index-url {url} tiny"
        script(clone / ".venv/bin/uv", f'[ "$2" != sync ] || exec {uv} {fetch}')
        (clone / "told").write_text("as before\nas before\n")
        made(clone, PIP_CERT=str(clone / "company.pem"))
    assert (clone / "fetched/tiny.py").exists()


def test_what_install_puts_on_a_machine_uninstall_takes_away(clone: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    script(clone / "echoing", 'echo "$@"')
    made = 'mkdir -p "${!#}/bin"; cp echoing "${!#}/bin/glacier-purge"'
    script(clone / ".venv/bin/uv", f"case $1 in venv) {made};; esac")
    (clone / ".venv/.ready").touch()

    def make(target: str) -> None:
        subprocess.run(["make", target, f"PREFIX={prefix}"], cwd=clone, capture_output=True, check=True, timeout=60)

    make("install")
    share = prefix / "share"
    printed = {
        share / "man/man1/glacier-purge.1": "manual",
        share / "bash-completion/completions/glacier-purge": "completion bash",
        share / "zsh/site-functions/_glacier-purge": "completion zsh",
        share / "fish/vendor_completions.d/glacier-purge.fish": "completion fish",
    }
    assert {file: file.read_text().strip() for file in printed} == printed
    assert (prefix / "bin/glacier-purge").is_symlink()
    make("install")
    make("uninstall")
    assert [path for path in prefix.rglob("*") if not path.is_dir() or path.is_symlink()] == []


@pytest.mark.parametrize(
    ("there", "named", "exit_code", "said"),
    [
        (
            {},
            "",
            0,
            ["python3.12: not on this machine", "python3.13: not on this machine", "python3.14: not on this m"],
        ),
        ({"python3.13": 0}, "", 0, ["python3.12: not on", "Python 3.13.9: passed", "python3.14: not on"]),
        (
            {"python3.12": 0, "python3.13": 1, "python3.14": 0},
            "",
            1,
            ["3.12.9: passed", "3.13.9: FAILED", "4.9: passed"],
        ),
        ({"python3.12": 1, "python3.14": 0}, "python3.14", 0, ["Python 3.14.9: passed"]),
        ({"python3.14": 0}, "python3.15 python3.14", 1, ["python3.15: not on", "Python 3.14.9: passed"]),
    ],
    ids=["none", "one", "one fails", "named", "named and missing"],
)
def test_each_python_there_is_is_tried_and_the_others_are_said(
    there: dict[str, int], named: str, exit_code: int, said: list[str], tmp_path: Path, repository: Path
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(repository / ".ci/pythons", tmp_path / ".ci")
    for name, status in there.items():
        script(tmp_path / name, f"case $1 in -c) echo {name.removeprefix('python')}.9;; -m) exit {status};; esac")
    found = "[ -e ${!#} ] && echo $PWD/${!#}"
    made = 'mkdir -p "${!#}/bin"; cp "$5" "${!#}/bin/python"'
    script(tmp_path / "uv", f'case "$1 $2" in "python find") {found};; venv*) {made};; esac')
    done = subprocess.run(
        [tmp_path / ".ci/pythons"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV": str(tmp_path / "uv"), "PYTHONS": named},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (exit_code, "")
    last = done.stdout.splitlines()[-len(said) :]
    assert [words for words, line in zip(said, last, strict=True) if words not in line] == [], done.stdout


@contextmanager
def index(folder: Path) -> Iterator[str]:
    """An index of one package, over TLS."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        file.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.dist-info/RECORD", "")

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path.startswith("/simple") else "application/zip")
            self.send_header("Content-Length", str(len(self._content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(self._content)

        @property
        def _content(self) -> bytes:
            link = b'<a href="/tiny-1-py3-none-any.whl">tiny-1-py3-none-any.whl</a>'
            return link if self.path.startswith("/simple") else wheel.getvalue()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the server calls it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = server_side(issued(COMPANY), folder).wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
