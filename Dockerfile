# deadwax as a service. docs/dockerfile-standards.md says which rules this file keeps; a test holds it to them.
ARG BASE=docker.io/library/node:22-bookworm-slim
ARG RUST=docker.io/library/rust:1.95-slim-bookworm

FROM ${RUST} AS rust

# Compiled on the very base that it runs on, so that the C library is the same.
FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates cmake gcc libc6-dev make && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
WORKDIR /build
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund && npm run build && npm prune --omit=dev --no-audit --no-fund
# Laid out as it is to lie in the image: what the package holds, and the names that compose files call.
RUN install -d /out/app /out/usr/local/bin \
    && tar -xz -C /out/app --strip-components=1 -f "$(npm pack --silent --ignore-scripts)" \
    && mv node_modules deploy /out/app \
    && chmod 755 /out/app/dist/cli.js /out/app/deploy/entrypoint.mjs \
    && ln -s /app/deploy/entrypoint.mjs /out/usr/local/bin/extractor \
    && ln -s /app/dist/cli.js /out/usr/local/bin/rustextractor \
    && ln -s /app/dist/cli.js /out/usr/local/bin/tableinator \
    && ln -s /app/dist/cli.js /out/usr/local/bin/deadwax

FROM ${BASE}
ARG UID=1000
ARG GID=1000
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="deadwax" \
    org.opencontainers.image.description="Brings the monthly Discogs data dumps to RabbitMQ and PostgreSQL" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# curl is for health checks: the one below, and those that compose files name. A fresh volume takes the owner of its folder.
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && install -d -o "${UID}" -g "${GID}" /discogs-data /logs
COPY --from=build /out /
ENV NODE_ENV=production
USER ${UID}:${GID}
VOLUME ["/discogs-data"]
EXPOSE 8000 8002
HEALTHCHECK --interval=30s --timeout=3s --start-period=60s --retries=3 CMD curl -f http://localhost:8000/health || exit 1
ENTRYPOINT ["extractor"]
