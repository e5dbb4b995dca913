# syntax=docker/dockerfile:1
# pvcharge as a container; docs/docker.md says how to use it.

ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# Nothing is compiled: all that is needed comes as wheels for amd64 and arm64.
RUN python -m venv /opt/pvcharge \
    && /opt/pvcharge/bin/pip install --quiet --only-binary=:all: . \
    && /opt/pvcharge/bin/pip uninstall --quiet --yes pip

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="pvcharge" \
      org.opencontainers.image.description="Charges an electric car with the solar power that would otherwise be sold for little" \
      org.opencontainers.image.licenses="MIT"
# A number, since it owns files on the host: secrets and what is mounted as state.
RUN groupadd --gid 10001 pvcharge \
    && useradd --uid 10001 --gid pvcharge --no-create-home --home-dir /var/lib/pvcharge --shell /usr/sbin/nologin pvcharge \
    && install --directory --owner=pvcharge --group=pvcharge --mode=700 /var/lib/pvcharge
COPY --from=build /opt/pvcharge /opt/pvcharge
COPY config.example.toml /usr/share/pvcharge/
# Secrets are looked up by their names where Docker and Podman put them. That folder is this container's alone.
ENV CREDENTIALS_DIRECTORY=/run/secrets \
    PATH=/opt/pvcharge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONUNBUFFERED=1 \
    STATE_DIRECTORY=/var/lib/pvcharge
USER 10001:10001
WORKDIR /var/lib/pvcharge
VOLUME /var/lib/pvcharge
EXPOSE 8080
# For a page on port 8080; with another listen or a base_path in [web], give a check of your own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/pvcharge/bin/python", "-I", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
# The daemon itself is the first process: a stop reaches it at once, and it ends within 5 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["pvcharge"]
CMD ["run"]
