"""Writes one FileDescriptorSet holding the given proto files and all they import.

usage: descriptor_set.py OUTPUT FILE.proto...

The Python package xds-protos carries every Envoy message as compiled descriptors but no .proto text, and protoc accepts
descriptors in place of text (--descriptor_set_in). Prints the files that protoc must generate, one a line.
"""

import importlib
import sys

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

BALANCING = "envoy/extensions/load_balancing_policies/"
COMMON = BALANCING + "common/v3/common.proto"
WEIGHTED = BALANCING + "client_side_weighted_round_robin/v3/client_side_weighted_round_robin.proto"
OOB_CONFIG = "OrcaOobReportingConfig"


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

    def complete() -> None:
        """Adds what our Envoy has and the package does not yet; names and numbers are those inside of Envoy's binary."""
        files = {file.name: file for file in descriptor_set.file}
        if WEIGHTED not in files or any(each.name == OOB_CONFIG for each in files[COMMON].message_type):
            return
        reporting = files[COMMON].message_type.add(name=OOB_CONFIG)
        for number, name, kind in ((1, "port_value", "TYPE_UINT32"), (2, "authority", "TYPE_STRING")):
            reporting.field.add(
                name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL, type=FieldDescriptorProto.Type.Value(kind)
            )
        files[WEIGHTED].message_type[0].field.add(
            name="oob_reporting_config",
            number=9,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".{files[COMMON].package}.{OOB_CONFIG}",
        )

    for root in roots:
        module = root.removesuffix(".proto").replace("/", ".").replace("-", "_") + "_pb2"
        add(importlib.import_module(module).DESCRIPTOR)
    complete()
    with open(output, "wb") as out:
        out.write(descriptor_set.SerializeToString())
    print("\n".join(sorted(seen)))


main()
