#!/bin/sh
# Generates src/envoy/generated from the pinned Envoy descriptors (PyPI package xds-protos) with protoc and ts-proto.
# usage: generate-envoy.sh PYTHON        run from the project's root; PYTHON has xds-protos and grpcio-tools
set -eu
python=$1
out=src/envoy/generated
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2046 # one file a word is what is meant
"$python" tools/descriptor_set.py "$work/set.bin" $(cat tools/envoy-protos.txt) >"$work/files.txt"
mkdir "$work/out"
# useOptionals: translators write plain object literals. enumsAsLiterals: no TypeScript syntax that needs a compiler.
# static-only annotations: each message knows its type URL, so that packing an Any cannot name the wrong one.
generate() {
  "$python" -m grpc_tools.protoc \
    --plugin=protoc-gen-ts_proto=node_modules/.bin/protoc-gen-ts_proto --ts_proto_out="$work/out" \
    --ts_proto_opt=importSuffix=.ts,esModuleInterop=true,useOptionals=all,enumsAsLiterals=true,outputPartialMethods=false \
    --ts_proto_opt=outputServices=none,comments=false,forceLong=number,unrecognizedEnum=false,outputTypeAnnotations=static-only \
    "$@"
}
# shellcheck disable=SC2046
generate --descriptor_set_in="$work/set.bin" $(cat "$work/files.txt")
generate --proto_path=tools/protos ratelimit/config/ratelimit/v3/rls_conf.proto
rm -rf "$out"
mv "$work/out" "$out"
echo "generated $(wc -l <"$work/files.txt") Envoy proto files into $out"
