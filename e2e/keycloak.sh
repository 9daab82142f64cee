#!/usr/bin/env bash
# Leaves the Keycloak of the version below in .cache/keycloak. Maven fetches it from
# where the machine's own settings say, and keeps a copy in its repository, so that
# a fresh clone on the same machine has nothing to load.
set -euo pipefail
cd "$(dirname "$0")/.."

version=26.7.3
sha256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f

home=.cache/keycloak
stamp=$home/.made-from
[ "$(cat "$stamp" 2>/dev/null)" = "$sha256" ] && exit 0

echo "Making $home, Keycloak $version (once)"
mkdir -p .cache
new=$(mktemp -d .cache/keycloak.XXXXXX)
trap 'rm -rf "$new"' EXIT
fetch() {
  mvn -B -q -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$PWD/$new"
}
fetch || fetch # 170 MB may break off on the way
zip=$new/keycloak-quarkus-dist-$version.zip
echo "$sha256  $zip" | sha256sum --check --quiet
.cache/venv-e2e/bin/python -m zipfile -e "$zip" "$new"
rm -rf "$home"
mv "$new/keycloak-$version" "$home"
echo "$sha256" >"$stamp"
