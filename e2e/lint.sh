#!/usr/bin/env bash
# gofmt, go vet and staticcheck over the module; exits 1 if any finds something.
set -uo pipefail
cd "$(dirname "$0")/.."

code=0
folders=$(go list -f '{{.Dir}}' ./...) || exit 1
# shellcheck disable=SC2086 # one word a folder
unformatted=$(gofmt -l $folders | sort -u | sed "s|^$PWD/||")
if [ -n "$unformatted" ]; then
  printf 'not gofmt-clean; run gofmt -w on:\n%s\n' "$unformatted" >&2
  code=1
fi
go vet ./... || code=1
go run "${STATICCHECK:?set by the Makefile: run make lint}" ./... || code=1
exit $code
