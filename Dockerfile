# syntax=docker/dockerfile:1
# One image for every part that a process plays: OUTDIAL_ROLE says which (api, worker, media; all of them without it).
# compose.yaml puts them together. No container could be run on the machines that this was built on: `.ci/deployment`
# lints it, and runs what it says the program is started with outside of one.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# What cargo fetched and built stays with the builder; only the program goes on.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin outdial && strip --output=/outdial target/release/outdial

FROM debian:bookworm-slim
# The authorities that carriers' certificates are checked against. Debian removes a version from its archive with the
# next, so that one that is pinned soon cannot be built.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home outdial \
    && install --directory --owner=outdial --group=outdial /var/lib/outdial/recordings
COPY --from=build /outdial /usr/local/bin/outdial
USER 10001
WORKDIR /var/lib/outdial
ENV OUTDIAL_LISTEN=0.0.0.0:7700 \
    OUTDIAL_LOG_JSON=true
EXPOSE 7700
# Asked without a program of its own: the image has none that speaks HTTP. A process that was told to stop is not ready,
# and goes on for as long as conversations do.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7700 && printf 'GET /ready HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["outdial"]
CMD ["serve"]
