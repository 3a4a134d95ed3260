"""What clients are measured against: nginx answering every DELETE with Glacier's 204 over TLS, on a core of its own.

nginx runs below a temporary folder with a throwaway authority, and answers DescribeVault with one fixed description and
ListJobs with none, so that a whole purge can be planned and carried out against it.  Where it is not installed
``sink.py`` takes its place.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

from benchmarks.machine import SERVER_CORE, pin
from benchmarks.sink import DESCRIPTION, JOBS, UPLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NGINX = """
daemon off; master_process off; worker_processes 1; pid FOLDER/nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; default_type application/json;
  client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
  server {
    listen 127.0.0.1:PORT ssl backlog=4096;
    ssl_certificate FOLDER/server.pem; ssl_certificate_key FOLDER/server.pem; ssl_protocols TLSv1.2 TLSv1.3;
    add_header x-amzn-RequestId "AbCdEfGhIjKlMnOp$request_id" always;
    location / { if ($request_method = DELETE) { return 204; } return 200 'DESCRIPTION'; }
    location ~ /jobs$ { return 200 'JOBS'; }
    location ~ /multipart-uploads$ { return 200 'UPLOADS'; }
  }
}
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that listens: where, whom to trust, and what it is."""

    url: str
    ca_file: Path
    name: str


@contextmanager
def tls_server(folder: Path) -> Iterator[Server]:
    """Serve 204s over TLS from the server's core until the block is left; ``folder`` is for its files."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    program = nginx_program()
    port = _free_port()
    if program is None:
        print("nginx is not installed: sink.py stands in for it, and is slower", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.sink", str(folder / "server.pem"), str(port)]
    else:
        settings = NGINX.replace("FOLDER", str(folder)).replace("PORT", str(port))
        settings = settings.replace("DESCRIPTION", DESCRIPTION.decode()).replace("JOBS", JOBS.decode())
        settings = settings.replace("UPLOADS", UPLOADS.decode())
        (folder / "nginx.conf").write_text(settings, "ascii")
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            pin(SERVER_CORE, process.pid)
            _await_port(port, process)
            name = "nginx" if program else "sink.py"
            yield Server(url=f"https://127.0.0.1:{port}", ca_file=folder / "authority.pem", name=name)
        finally:
            process.terminate()


def nginx_program() -> str | None:
    """Where nginx is; distributions put it where users do not look."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the server ended, or does not listen on port {port} after ten seconds")
