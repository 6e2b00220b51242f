#!/bin/sh
# Makes sure that system commands are there: installs their Debian packages where it may, else says how.
# usage: system-packages.sh COMMAND:PACKAGE...
set -eu
PATH="$PATH:/usr/sbin:/sbin"
missing=""
for pair in "$@"; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(uname -s)" != Linux ]; then
  echo "not on this system:$missing; the tests that need a cluster are left out" >&2
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "==> Installing$missing"
  # shellcheck disable=SC2086 # a list of names
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  fi
else
  echo "missing:$missing    install with: sudo apt-get install$missing" >&2
  exit 1
fi
