#!/usr/bin/env bash
# usage: node.sh DIR FROM
#
# Leaves in DIR/node_modules what the lock file in FROM pins: it holds a hash of every
# package and names no place to get it from.
set -euo pipefail
dir=$1 from=$2

cmp -s "$from/package-lock.json" "$dir/made-from.json" && exit 0
echo "Making $dir from $from (once)"
mkdir -p "$dir"
cp "$from/package.json" "$from/package-lock.json" "$dir"
npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error
cp "$from/package-lock.json" "$dir/made-from.json"
