#!/bin/sh
# Names every missing tool together with the command that installs it, and stops when there is one.
missing=0
need() { # need NAME TEST INSTALL
  if ! sh -c "$2" >/dev/null 2>&1; then
    echo "missing: $1    install it with: $3" >&2
    missing=1
  fi
}
need "Node.js 18 or newer" "node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'" "apt-get install nodejs  (or from your system's package manager)"
need "npm" "npm --version" "apt-get install npm"
need "Python 3.10 or newer" "python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'" "apt-get install python3"
need "Python's venv module" "python3 -c 'import venv, ensurepip'" "apt-get install python3-venv"
need "openssl" "openssl version" "apt-get install openssl"
exit $missing
