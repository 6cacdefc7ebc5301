// connect-web's transport for gRPC-Web, by fetch.

import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { report, same } from "./report.cjs";

const BYTES = 12;

const [service] = process.argv.slice(2);
const blob = ".callwright.tests.Blob";
const file = create(FileDescriptorProtoSchema, {
  name: "echo.proto",
  package: "callwright.tests",
  syntax: "proto3",
  messageType: [{ name: "Blob", field: [{ name: "body", jsonName: "body", number: 1, type: BYTES, label: 1 }] }],
  service: [{
    name: "Echo",
    method: [
      { name: "UnaryUnary", inputType: blob, outputType: blob },
      { name: "UnaryStream", inputType: blob, outputType: blob, serverStreaming: true },
    ],
  }],
});
const echo = createFileRegistry(file, () => undefined).getService("callwright.tests.Echo");
const client = createClient(echo, createGrpcWebTransport({ baseUrl: service, useBinaryFormat: true }));

const bytes = (text) => ({ body: new TextEncoder().encode(text) });
const text = ({ body }) => new TextDecoder().decode(body);

async function streamed(request, options) {
  const messages = [];
  try {
    for await (const message of client.unaryStream(bytes(request), options)) messages.push(text(message));
  } catch (error) {
    return { messages, status: [error.code, error.rawMessage] };
  }
  return { messages, status: [0, ""] };
}

await report("unary", async () => same(text(await client.unaryUnary(bytes("hello"))), "hello"));
await report("streaming", async () => {
  const { messages, status } = await streamed("20 1000");
  same([messages.map((message) => message.length), status], [Array(20).fill(1000), [0, ""]]);
});
await report("status_without_messages", async () => {
  same(await streamed("no numbers"), { messages: [], status: [3, "COUNT SIZE"] });
});
await report("status_behind_messages", async () => {
  same(await streamed("fail after one"), { messages: ["one"], status: [11, "no more: ✗"] });
});
await report("deadline", async () => {
  const { messages, status } = await streamed("forever after one", { timeoutMs: 300 });
  same([messages, status[0]], [["one"], 4]);
});
