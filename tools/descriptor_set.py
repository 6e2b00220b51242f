"""Writes one FileDescriptorSet holding the given proto files and all they import.

usage: descriptor_set.py OUTPUT FILE.proto...

The Python package xds-protos carries every Envoy message as compiled descriptors but no .proto text, and protoc accepts
descriptors in place of text (--descriptor_set_in). Prints the files that protoc must generate, one a line.
"""

import importlib
import sys

from google.protobuf import descriptor_pb2


def main() -> None:
    output, roots = sys.argv[1], sys.argv[2:]
    descriptor_set = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        file.CopyToProto(descriptor_set.file.add())

    for root in roots:
        module = root.removesuffix(".proto").replace("/", ".").replace("-", "_") + "_pb2"
        add(importlib.import_module(module).DESCRIPTOR)
    with open(output, "wb") as out:
        out.write(descriptor_set.SerializeToString())
    print("\n".join(sorted(seen)))


main()
