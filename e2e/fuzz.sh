#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each (default 1m), one after
# the other, and goes on after one that fails. `go test` replays the seeds, and
# what was found before, in every ordinary run.
set -uo pipefail
cd "$(dirname "$0")/.."

: "${FUZZTIME:=1m}"
failed=()
targets=()
while read -r package folder; do
  for name in $(grep -hos '^func Fuzz[A-Za-z0-9_]*' "$folder"/*_test.go | sed 's/^func //'); do
    targets+=("$package $name")
  done
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)

for i in "${!targets[@]}"; do
  read -r package name <<<"${targets[i]}"
  printf '\n==> %d of %d: %s, %s of %s\n' $((i + 1)) "${#targets[@]}" "$name" "$FUZZTIME" "$package"
  go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" || failed+=("$package $name")
done

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nFailed; what broke them lies in testdata/fuzz beside the test:\n'
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
printf '\nAll %d good after %d s\n' "${#targets[@]}" "$SECONDS"
