#!/bin/sh
# Builds Kubernetes' own programs from their Go modules (the go.mod files beside this script pin every dependency).
# usage: build-kubernetes.sh FOLDER PROGRAM...     run from the project's root, with GATEHOUSE_TOOLS set
#
# A program that FOLDER/bin or $KUBEBUILDER_ASSETS already has is left alone. An interrupted build goes on where it stopped, because
# Go caches each compiled package; a program appears in FOLDER/bin only when it is finished.
set -eu
folder=$1
shift
mkdir -p "$folder/bin"

missing=""
for program in "$@"; do
  case $program in
    etcd | kube-apiserver | kubectl) [ -x "${KUBEBUILDER_ASSETS:-/nonexistent}/$program" ] && continue ;;
  esac
  [ -x "$folder/bin/$program" ] || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

if [ -z "${GATEHOUSE_BUILD_LOCKED:-}" ]; then
  # Once more under the lock: another make may have built them meanwhile.
  GATEHOUSE_BUILD_LOCKED=1 exec python3 tools/with-lock.py "$folder/.lock" "$0" "$folder" "$@"
fi

go=$(sh tools/find-go.sh)
version=$(sed -n 's/^require k8s.io.kubernetes v\([^ ]*\).*/\1/p' tools/kubernetes/go.mod)
minor=${version#1.}
minor=${minor%%.*}
stamp=k8s.io/component-base/version
# Nothing of the caller's Go settings may change what is built.
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local GOWORK=off

echo "==> Building$missing into $folder/bin (once; all of them take about 7 minutes on 2 cores)"
for program in $missing; do
  case $program in
    etcd) module=tools/etcd package=go.etcd.io/etcd/server/v3 ;;
    coredns) module=tools/coredns package=gatehouse.dev/tools/coredns ;;
    *) module=tools/kubernetes package=k8s.io/kubernetes/cmd/$program ;;
  esac
  total=$("$go" list -C "$module" -deps "$package" | wc -l | tr -d ' ')
  partial="$folder/bin/.$program.partial"
  failed="$folder/bin/.$program.failed"
  rm -f "$failed"
  # -v prints each package as it is compiled; cached ones are not printed.
  { "$go" build -C "$module" -v -trimpath -o "$partial" \
    -ldflags "-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor -X $stamp.gitTreeState=clean" \
    "$package" 2>&1 || touch "$failed"; } |
    awk -v program="$program" -v total="$total" '
      /^[A-Za-z0-9_.\/-]+$/ { if (++count % 100 == 0) { printf "    %s: %d of at most %d packages\n", program, count, total; fflush() } next }
      !/^go: downloading/ { print; fflush() }'
  if [ -e "$failed" ]; then
    rm -f "$failed" "$partial"
    echo "building $program failed; what was compiled is kept, so run make again once the cause above is mended" >&2
    exit 1
  fi
  mv "$partial" "$folder/bin/$program"
  echo "    $program: done"
done
