#!/bin/sh
# Places the Gateway API's CRDs, both channels, into FOLDER/standard and FOLDER/experimental, from its Go module.
# usage: fetch-gateway-api.sh VERSION FOLDER     run from the project's root, with GATEHOUSE_TOOLS set
set -eu
version=$1
folder=$2
# Of v1.6.3, as the Go checksum database has it; change it together with GATEWAY_API_VERSION of the Makefile.
sum="h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc="

go=$(sh tools/find-go.sh)
echo "==> Fetching the CRDs of Gateway API $version into $folder (once)"
answer=$(GOFLAGS=-mod=mod GOWORK=off GOTOOLCHAIN=local "$go" mod download -json "sigs.k8s.io/gateway-api@v$version")
field() { printf '%s\n' "$answer" | sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p"; }
if [ "$(field Sum)" != "$sum" ]; then
  echo "sigs.k8s.io/gateway-api@v$version has the checksum $(field Sum), not $sum: it is not what this project was tested with" >&2
  exit 1
fi
partial="$folder.partial"
rm -rf "$partial"
mkdir -p "$partial"
for channel in standard experimental; do
  mkdir "$partial/$channel"
  # One file a kind, and a policy against mixing the channels, which is not a CRD.
  cp "$(field Dir)/config/crd/$channel/"gateway.networking.*.yaml "$partial/$channel/"
  rm -f "$partial/$channel/"*_vap_*.yaml
done
# The module cache is read-only; the copy need not be.
chmod -R u+w "$partial"
rm -rf "$folder"
mv "$partial" "$folder"
touch "$folder/.installed"
