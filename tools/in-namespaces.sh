#!/bin/sh
# Runs a command where it may make network namespaces and links: as it is for root, else as the root of a user namespace of its
# own, whose network is its own too (nothing of this machine's can be reached or changed).
# usage: in-namespaces.sh COMMAND [ARGUMENT...]
set -eu
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" = 0 ]; then
  exec "$@"
fi
if unshare --user --map-root-user --net --mount true 2>/dev/null; then
  PATH="$PATH:/usr/sbin:/sbin" IN_USER_NAMESPACE=1 exec unshare --user --map-root-user --net --mount \
    sh -c 'ip link set lo up && exec "$@"' sh "$@"
fi
echo "this user may not make namespaces here: what needs a cluster will fail; run it as root" >&2
exec "$@"
