#!/usr/bin/env bash
# The one test command, behind `make test`: every check and every test, phase by
# phase, each with its time. A phase that fails does not keep the next from
# telling what it knows; the exit code is 1 if any did.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=()

phase() {
  local name=$1 began=$SECONDS verdict=good
  shift
  printf '\n==> %s\n' "$name"
  "$@" || {
    verdict=FAILED
    failed+=("$name")
  }
  printf '    %s: %s, %d s\n' "$name" "$verdict" $((SECONDS - began))
}

phase "What the tests need" bash e2e/prepare.sh
[ ${#failed[@]} -eq 0 ] || exit 1
phase "gofmt, vet, staticcheck" bash e2e/lint.sh
# Most of them wait, for tokens to end or for streams: eight at a time.
phase "Go tests, with the race detector" go test -race -parallel 8 -timeout 30m ./...
phase "Certificates from Pebble" go -C e2e/acme test ./...
phase "What stands in deploy/" go -C e2e/deploy test ./...
phase "End to end, in Chromium" .cache/venv-e2e/bin/python -m pytest -c e2e/pytest.ini e2e

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nFailed after %d s:\n' "$SECONDS"
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
printf '\nAll good after %d s\n' "$SECONDS"
