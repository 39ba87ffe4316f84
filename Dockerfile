# The images of Sync Sidecar: the last stage, `sync-sidecar`, is the product; the target `source-demo` is the demonstration source.
# Only what both of Docker's builders know is used, so that a machine without BuildKit can build it too.
FROM golang:1.26-bookworm AS build-demo
WORKDIR /src
COPY go.mod go.sum ./
COPY cmd/source-demo cmd/source-demo
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/ ./cmd/source-demo
RUN mkdir -p /folders/tmp && chmod 1777 /folders/tmp

FROM scratch AS source-demo
LABEL org.opencontainers.image.title="Sync Sidecar source-demo" \
      org.opencontainers.image.description="A small Airbyte source with deterministic data and faults on request" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build-demo /folders /
COPY --from=build-demo /out/source-demo /source-demo
# As in Airbyte's own images: platforms that start connectors through a shell or a shim read the command from here.
ENV AIRBYTE_ENTRYPOINT="/source-demo"
USER 65532:65532
ENTRYPOINT ["/source-demo"]

FROM golang:1.26-bookworm AS build
# Where Go finds modules, for machines that reach them by another way than the default; empty means Go's own default.
ARG GOPROXY
ARG GOSUMDB
ARG GONOSUMDB
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# Libraries that no row passes through are compiled without inlining: 1.4 MB less of the 35 that the image may have.
ENV CGO_ENABLED=0 \
    GOFLAGS="-trimpath -buildvcs=false \
    -gcflags=k8s.io/...=-l -gcflags=sigs.k8s.io/...=-l -gcflags=github.com/docker/...=-l -gcflags=github.com/moby/...=-l \
    -gcflags=google.golang.org/...=-l -gcflags=go.opentelemetry.io/...=-l -gcflags=github.com/prometheus/...=-l -gcflags=golang.org/x/...=-l \
    -gcflags=github.com/json-iterator/...=-l -gcflags=github.com/fxamacker/...=-l -gcflags=github.com/santhosh-tekuri/...=-l \
    -gcflags=github.com/urfave/...=-l -gcflags=go.yaml.in/...=-l -gcflags=github.com/gorilla/...=-l"
# The large libraries are compiled before our own code is copied in, so that an edit of it does not compile them again.
RUN go build github.com/docker/docker/client github.com/jackc/pgx/v5/pgxpool k8s.io/api/core/v1
COPY sidecar sidecar
COPY runner runner
COPY compose compose
COPY cmd/sync-sidecar cmd/sync-sidecar
ARG VERSION
RUN go build -ldflags "-s -w -X main.buildVersion=${VERSION}" -o /out/ ./cmd/sync-sidecar
# A fresh named volume takes the mode of the folder that it is mounted over: these let any user write, as connectors run under many, and any user
# replace what another left there (no sticky bit).
RUN mkdir -p /folders/pipes /folders/config /folders/data /folders/tmp /folders/etc/ssl/certs \
    && chmod 0777 /folders/pipes /folders/config /folders/data && chmod 1777 /folders/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /folders/etc/ssl/certs/ \
    && echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' > /folders/etc/passwd

FROM scratch AS sync-sidecar
ARG VERSION
LABEL org.opencontainers.image.title="Sync Sidecar" \
      org.opencontainers.image.description="Runs Airbyte source connectors and delivers their rows, results, logs and state" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /folders /
COPY --from=build /out/sync-sidecar /sync-sidecar
USER 65532:65532
ENTRYPOINT ["/sync-sidecar"]
