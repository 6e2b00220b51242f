# Gatehouse: docker build -t ghcr.io/gatehouse/gatehouse:v0.1.0 .
# test/image runs these steps in a clean folder, and a cluster with what comes out.
FROM docker.io/library/node:24.21.0-bookworm AS build
# Any version will do: they only fetch Envoy's message definitions.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends make python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN make build && sh image/assemble.sh root

# glibc, libstdc++ and certificates: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/root/ /
USER 65532:65532
EXPOSE 8081 18000 19001
ENTRYPOINT ["/usr/local/bin/gatehouse"]
