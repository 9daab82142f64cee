#!/usr/bin/env bash
# Finds what the tests need. What is missing is installed on Debian as root; on
# anything else it is named, with the way to get it, and the exit code is 1.
# Leaves the environments of the end-to-end tests in .cache: venv-e2e and others like
# it (Python), js-e2e (Node), keycloak.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null 2>&1; }

python_is_new_enough() {
  local name
  for name in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  done
  return 1
}

node_is_new_enough() {
  have node && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)'
}

java_is_new_enough() { # for Keycloak
  local version
  version=$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.specification\.version = //p')
  [ "${version%%.*}" -ge 17 ] 2>/dev/null
}

missing=() # Debian packages
have gcc || missing+=(gcc libc6-dev)
python_is_new_enough || missing+=(python3 python3-venv)
have chromium || missing+=(chromium)
have redis-server || missing+=(redis-server)
have ffmpeg && have ffprobe || missing+=(ffmpeg) # Gradio streams sound and film with them
node_is_new_enough || missing+=(nodejs)
have npm || missing+=(npm)
have jq || missing+=(jq)
have curl || missing+=(curl)
have promtool || missing+=(prometheus)
have systemd-analyze || missing+=(systemd)
java_is_new_enough || missing+=(default-jre-headless)
have mvn || missing+=(maven)

if ! have go; then
  echo "Go is missing: see https://go.dev/doc/install for the version that go.mod names" >&2
  exit 1
fi
# A go of another version fetches the one that go.mod names, or says why it cannot.
go version

if [ ${#missing[@]} -gt 0 ]; then
  if ! grep -qs '^ID=debian$' /etc/os-release || [ "$(id -u)" != 0 ]; then
    echo "missing, as Debian's packages call it: ${missing[*]}" >&2
    echo "on Debian: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    echo "elsewhere: install gcc, Python 3.11+ with venv, Node 18+ with npm, Java 17+ with Maven, Chromium, redis-server, ffmpeg, jq, curl, promtool and systemd-analyze on PATH" >&2
    exit 1
  fi
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Debian starts what it installs; these tests start a redis-server of their own,
  # and of Prometheus they want promtool alone.
  RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

bash deploy/demo/venv.sh .cache/venv-e2e e2e/requirements.txt deploy/demo/requirements.txt

bash e2e/node.sh .cache/js-e2e e2e/js
# Two at a time: they wait for the network half of their time.
{
  echo e2e/keycloak.sh
  for name in gradio3 gradio4 gradio5 streamlit jupyter; do
    echo "deploy/demo/venv.sh .cache/venv-$name e2e/requirements-$name.txt"
  done
} | xargs -P 2 -L 1 bash
