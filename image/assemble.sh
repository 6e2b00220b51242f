#!/bin/sh
# Puts what the image holds into FOLDER, at the paths that it has there: Node, the compiled program, the packages that it needs.
# usage: assemble.sh FOLDER     run from the project's root, after `make build`; FOLDER must not exist
set -eu
folder=$1
home=$folder/opt/gatehouse
mkdir -p "$home" "$folder/usr/local/bin"
cp package.json package-lock.json LICENSE "$home"
cp -r dist node_modules "$home"
rm "$home/dist/.built"
# The scripts of packages have run already, when they were installed.
(cd "$home" && npm prune --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error)
mv "$home/node_modules/node/bin/node" "$folder/usr/local/bin/node"
rm -rf "$home/node_modules/node" "$home/node_modules/.bin" "$home/package-lock.json"
cp image/gatehouse "$folder/usr/local/bin/gatehouse"
# Who runs the image is none of those who built it.
chmod -R a+rX,go-w "$folder"
