# Two images from one source: `gateway`, what a bank runs, and `sandbox`, the stand-ins for everything
# around it. Both are static binaries and run as nobody in particular.
#
#   docker build --target gateway --build-arg VERSION=v1.2.3 --tag istirdad/gateway .
#   docker build --target sandbox --tag istirdad/sandbox .

FROM golang:1.26.8-trixie AS source
WORKDIR /src
# The compiler of this image or none: nothing is fetched to build with instead.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .

# nomsgpack leaves out a codec of gin's that nothing here speaks, half of the binary.
FROM source AS build-gateway
ARG VERSION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -tags nomsgpack -trimpath -ldflags "-s -w -X main.release=$VERSION" -o /out/gateway ./cmd/gateway

FROM source AS build-sandbox
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -tags nomsgpack -trimpath -ldflags "-s -w" -o /out/sandbox ./cmd/sandbox

# The stand-ins. busybox brings the wget with which docker-compose.yml asks whether they are up.
FROM busybox:1.37.0 AS sandbox
COPY --from=build-sandbox /out/sandbox /sandbox
USER 65532:65532
EXPOSE 8081 8082 8083
ENTRYPOINT ["/sandbox"]

# The gateway, last, so that it is what a build without --target makes. There is no shell in it, and so
# no HEALTHCHECK, which would have to run something: whoever runs the image asks the ops listener for
# /healthz (restart it?) and /readyz (send it requests?) from outside.
FROM scratch AS gateway
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build-gateway /out/gateway /gateway
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/gateway"]
CMD ["serve", "-config", "/etc/istirdad/gateway.yaml"]
