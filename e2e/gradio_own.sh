#!/usr/bin/env bash
# usage: gradio_own.sh CHECKOUT [SPEC…] | CHECKOUT --client-only
#
# Runs Gradio's own tests from a checkout of its repository, directly and through
# Gatehouse, against the Gradio that deploy/demo/requirements.txt pins, and prints both
# counts and every difference; exits 1 if there is one. Needs what prepare.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."

own=.cache/gradio-own venv=.cache/venv-gradio-own
bash deploy/demo/venv.sh "$venv" e2e/requirements-gradio-own.txt e2e/requirements.txt deploy/demo/requirements.txt
bash e2e/node.sh "$own" e2e/gradio_own
go build -trimpath -o "$own/" ./cmd/gatehouse ./e2e/provider
PATH=$PWD/$venv/bin:$PATH PYTHONPATH=e2e exec "$venv/bin/python" e2e/gradio_own/run.py "$@"
