#!/bin/sh
# Builds cert-manager's controllers for tests (tools/cert-manager pins every dependency) and copies its CRDs beside them.
# usage: build-cert-manager.sh FOLDER     run from the project's root, with GATEHOUSE_TOOLS set
set -eu
folder=$1
module=tools/cert-manager
sources="$module/main.go $module/go.mod $module/go.sum"

# The stamp holds what was built, so that another checkout finds it done, however old its files are.
cat $sources | cmp -s - "$folder/.built" && exit 0
if [ -z "${GATEHOUSE_BUILD_LOCKED:-}" ]; then
  # Once more under the lock: another make may have built it meanwhile.
  mkdir -p "$folder"
  GATEHOUSE_BUILD_LOCKED=1 exec python3 tools/with-lock.py "$folder/.lock" "$0" "$folder"
fi

echo "==> Building cert-manager's controllers into $folder (once, about 3 minutes on 2 cores)"
sh tools/build-go-program.sh "$module" . "$folder/cert-manager"
go=$(sh tools/find-go.sh)
export GOTOOLCHAIN=local GOWORK=off
rm -rf "$folder/crds"
cp -R "$("$go" list -C "$module" -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)/deploy/crds" "$folder/crds"
# The module cache is read-only; the copy need not be.
chmod -R u+w "$folder/crds"
rm -f "$folder/crds/README.md"
cat $sources >"$folder/.built"
