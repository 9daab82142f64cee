#!/usr/bin/env bash
# usage: venv.sh DIR REQUIREMENTS...
#
# Makes DIR a virtual environment that holds what the files pin, or leaves it as
# it is when it already does. The first file includes the others by itself, if it
# needs them; all are named so that a change in any of them counts.
set -euo pipefail
venv=$1
shift

python=
for name in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is missing (on Debian 12 and later: apt-get install python3 python3-venv)" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "$python cannot make virtual environments (on Debian: apt-get install python3-venv)" >&2
  exit 1
fi

key=$("$python" -c 'import sys; print(sys.version)'; cat "$@")
key=$(printf '%s' "$key" | sha256sum | cut -d ' ' -f 1)
stamp=$venv/.made-from
if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
  exit 0
fi

echo "Making $venv from $* (once)"
rm -rf "$venv"
"$python" -m venv "$venv"
if [ -t 1 ]; then
  "$venv/bin/python" -m pip install --disable-pip-version-check -r "$1"
else # a log wants one line a package, and no bars
  "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off -r "$1" |
    sed -n 's/^Collecting \([^ ]*\).*/  \1/p'
fi
echo "$key" >"$stamp"
