#!/usr/bin/env bash
# Puts those whom the bench compares Gatehouse with into .cache/field: oauth2-proxy
# and Caddy, built of their Go modules, and Debian's nginx, unpacked and not installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

OAUTH2_PROXY=github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6
CADDY=github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9

field=$PWD/.cache/field
mkdir -p "$field"
for module in "$OAUTH2_PROXY" "$CADDY"; do
  echo "Building $module"
  GOBIN=$field GOFLAGS=-trimpath CGO_ENABLED=0 go install -ldflags "-s -w" "$module"
done
if ! command -v nginx >/dev/null; then
  echo "Unpacking Debian's nginx"
  cd "$field"
  apt-get download -qq nginx 2>/dev/null
  dpkg-deb -x nginx_*.deb nginx-files
  ln -sf nginx-files/usr/sbin/nginx nginx
fi
ls -l "$field"
