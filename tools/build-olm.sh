#!/bin/sh
# Places OLM's validators (tools/olm) and its CRDs, both from the Go modules that tools/olm/go.mod pins, into FOLDER.
# usage: build-olm.sh FOLDER     run from the project's root, with GATEHOUSE_TOOLS set
set -eu
folder=$1
go=$(sh tools/find-go.sh)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local GOWORK=off
echo "==> Building OLM's validators into $folder (once; about a minute)"
partial="$folder.partial"
rm -rf "$partial"
mkdir -p "$partial"
"$go" build -C tools/olm -trimpath -tags containers_image_openpgp,exclude_graphdriver_btrfs -o "$partial/olm-verify" .
cp -r "$("$go" list -C tools/olm -m -f '{{.Dir}}' github.com/operator-framework/api)/crds" "$partial/crds"
# The module cache is read-only; the copy need not be.
chmod -R u+w "$partial"
rm -f "$partial"/crds/*.go
rm -rf "$folder"
mv "$partial" "$folder"
touch "$folder/.installed"
