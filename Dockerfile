# syntax=docker/dockerfile:1
# An image with the command and nothing to build with; it runs as a user without rights.
#
#   docker build --tag glacier-purge .
#   docker run --rm glacier-purge demo
#   docker run --rm --interactive --tty --volume "$PWD:/work" --user "$(id -u):$(id -g)" \
#     --env AWS_REGION --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY --env AWS_SESSION_TOKEN glacier-purge doctor VAULT
#
# Behind a company's authority: its certificate as a PEM file, which stays in the image as one of the system's authorities.
#
#   docker build --build-arg COMPANY_CA="$(cat company.pem)" --tag glacier-purge .
#
# Run folders belong on a volume: what lies in a container is gone with it. Containers with a network of their own do not keep
# each other from a vault; run one. For --sign-key add openssh-client.

FROM python:3.14-slim-trixie AS authorities
ARG COMPANY_CA=""
RUN if [ -n "$COMPANY_CA" ]; then \
        printf '%s\n' "$COMPANY_CA" > /usr/local/share/ca-certificates/company.crt && update-ca-certificates; \
    fi

FROM authorities AS build
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /source
COPY requirements-bootstrap.lock requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements-bootstrap.lock
COPY pyproject.toml README.md LICENSE ./
COPY engine engine
COPY config config
COPY docs/audit-format.md docs/audit-format.md
# As `make install` does it: a wheel, and what it needs by the hashes of the lock.
RUN uv build --wheel --out-dir wheel \
    && uv venv /opt/glacier-purge \
    && uv pip install --no-cache --python /opt/glacier-purge/bin/python --constraint requirements.lock wheel/*.whl

FROM authorities
COPY --from=build /opt/glacier-purge /opt/glacier-purge
RUN useradd --create-home --home-dir /work --uid 10001 purge
ENV HOME=/work PATH=/opt/glacier-purge/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /work
ENTRYPOINT ["glacier-purge"]
CMD ["--help"]
