#!/bin/sh
# Builds Kubernetes' own programs from their Go modules (the go.mod files beside this script pin every dependency).
# usage: build-kubernetes.sh FOLDER PROGRAM...     run from the project's root, with GATEHOUSE_TOOLS set
#
# A program that FOLDER/bin or $KUBEBUILDER_ASSETS already has is left alone.
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

version=$(sed -n 's/^require k8s.io.kubernetes v\([^ ]*\).*/\1/p' tools/kubernetes/go.mod)
minor=${version#1.}
minor=${minor%%.*}
stamp=k8s.io/component-base/version

echo "==> Building$missing into $folder/bin (once; all of them take about 7 minutes on 2 cores)"
for program in $missing; do
  case $program in
    etcd) module=tools/etcd package=go.etcd.io/etcd/server/v3 ;;
    coredns) module=tools/coredns package=gatehouse.dev/tools/coredns ;;
    *) module=tools/kubernetes package=k8s.io/kubernetes/cmd/$program ;;
  esac
  sh tools/build-go-program.sh "$module" "$package" "$folder/bin/$program" \
    "-X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor -X $stamp.gitTreeState=clean"
done
