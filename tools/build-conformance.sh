#!/bin/sh
# Builds the official conformance suite of the Gateway API and its echo server from their Go module, unmodified.
# usage: build-conformance.sh FOLDER     run from the project's root, with GATEHOUSE_TOOLS set
set -eu
folder=$1
mkdir -p "$folder/bin"
if [ -z "${GATEHOUSE_BUILD_LOCKED:-}" ]; then
  # Another make may build them meanwhile.
  GATEHOUSE_BUILD_LOCKED=1 exec python3 tools/with-lock.py "$folder/.lock" "$0" "$folder"
fi
[ -x "$folder/bin/conformance.test" ] && [ -x "$folder/bin/echo-basic" ] && exit 0
echo "==> Building the conformance suite into $folder/bin (once; about 2 minutes on 2 cores)"
sh tools/build-go-program.sh tools/conformance sigs.k8s.io/gateway-api/conformance/echo-basic "$folder/bin/echo-basic"
# A test binary, which `go build` does not make.
go=$(sh tools/find-go.sh)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local GOWORK=off
"$go" test -C tools/conformance -c -trimpath -o "$folder/bin/.conformance.test" .
mv "$folder/bin/.conformance.test" "$folder/bin/conformance.test"
echo "    conformance.test: done"
