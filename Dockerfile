# Gatehouse as one static binary on an empty image, run by nobody.
#
#   docker build -t gatehouse .
#   docker run -p 8000:8000 -v ./conf:/etc/gatehouse:ro \
#     -e DESCOPE_CLIENT_SECRET -e GATEHOUSE_SESSION_SECRET -e GATEHOUSE_LISTEN=:8000 gatehouse

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /gatehouse ./cmd/gatehouse

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /gatehouse /gatehouse
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["/gatehouse"]
CMD ["serve", "-c", "/etc/gatehouse/gatehouse.yaml"]
