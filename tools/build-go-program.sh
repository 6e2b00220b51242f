#!/bin/sh
# Builds one Go program and shows how far it is.
# usage: build-go-program.sh MODULE PACKAGE FILE [LDFLAGS]     run from the project's root, with GATEHOUSE_TOOLS set
#
# FILE appears only when it is finished. An interrupted build goes on where it stopped, because Go caches each compiled package.
set -eu
module=$1 package=$2 file=$3 flags=${4:-}
name=$(basename "$file")
partial=$(dirname "$file")/.$name.partial
failed=$(dirname "$file")/.$name.failed

go=$(sh tools/find-go.sh)
# Nothing of the caller's Go settings may change what is built.
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local GOWORK=off
total=$("$go" list -C "$module" -deps "$package" | wc -l | tr -d ' ')
rm -f "$failed"
# -v prints each package as it is compiled; cached ones are not printed.
{ "$go" build -C "$module" -v -trimpath -o "$partial" -ldflags "-s -w $flags" "$package" 2>&1 || touch "$failed"; } |
  awk -v name="$name" -v total="$total" '
    /^[A-Za-z0-9_.\/-]+$/ { if (++count % 100 == 0) { printf "    %s: %d of at most %d packages\n", name, count, total; fflush() } next }
    !/^go: downloading/ { print; fflush() }'
if [ -e "$failed" ]; then
  rm -f "$failed" "$partial"
  echo "building $name failed; what was compiled is kept, so run make again once the cause above is mended" >&2
  exit 1
fi
mv "$partial" "$file"
echo "    $name: done"
