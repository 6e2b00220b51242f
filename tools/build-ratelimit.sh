#!/bin/sh
# Builds the reference rate limit service (tools/ratelimit/go.mod pins it with every dependency).
# usage: build-ratelimit.sh FOLDER     run from the project's root, with GATEHOUSE_TOOLS set
set -eu
folder=$1
[ -x "$folder/ratelimit" ] && exit 0
mkdir -p "$folder"
if [ -z "${GATEHOUSE_BUILD_LOCKED:-}" ]; then
  # Once more under the lock: another make may have built it meanwhile.
  GATEHOUSE_BUILD_LOCKED=1 exec python3 tools/with-lock.py "$folder/.lock" "$0" "$folder"
fi
echo "==> Building the rate limit service into $folder (once, about a minute on 2 cores)"
sh tools/build-go-program.sh tools/ratelimit github.com/envoyproxy/ratelimit/src/service_cmd "$folder/ratelimit"
