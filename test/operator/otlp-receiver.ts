/** An OpenTelemetry collector for tests in a cluster: takes spans by gRPC on port 4317 and prints each as a line of JSON. */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type MethodDefinition, Server, ServerCredentials } from "@grpc/grpc-js";

const PORT = 4317;

/** Fields of a message by number, of which only those that hold bytes are kept: times do not fit a number of JavaScript. */
function readFields(bytes: Uint8Array): (field: number) => readonly Uint8Array[] {
  const fields = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) fields.set(field, [...(fields.get(field) ?? []), reader.bytes()]);
    else reader.skip(type);
  }
  return (field) => fields.get(field) ?? [];
}

const toText = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("utf8");

/** KeyValue messages (opentelemetry/proto/common/v1) whose values are texts. */
function readAttributes(pairs: readonly Uint8Array[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const field = readFields(pair);
      const [value] = field(2);
      return [toText(field(1)[0]), value === undefined ? "" : toText(readFields(value)(1)[0])];
    }),
  );
}

/** Of an ExportTraceServiceRequest (opentelemetry/proto/collector/trace/v1). */
function* readSpans(request: Uint8Array): Generator<object> {
  for (const resourceSpans of readFields(request)(1).map(readFields)) {
    const resource = readAttributes(resourceSpans(1).flatMap((one) => readFields(one)(1)));
    for (const span of resourceSpans(2).flatMap((scope) => readFields(scope)(2).map(readFields))) {
      const traceId = Buffer.from(span(1)[0] ?? []).toString("hex");
      yield { traceId, name: toText(span(5)[0]), resource, attributes: readAttributes(span(9)) };
    }
  }
}

const exportMethod: MethodDefinition<Buffer, Buffer> = {
  path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
};

const server = new Server();
server.addService(
  { Export: exportMethod },
  {
    Export(call: { readonly request: Buffer }, answer: (error: null, value: Buffer) => void) {
      for (const span of readSpans(call.request)) process.stdout.write(`${JSON.stringify(span)}\n`);
      answer(null, Buffer.alloc(0));
    },
  },
);
server.bindAsync(`0.0.0.0:${PORT}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
