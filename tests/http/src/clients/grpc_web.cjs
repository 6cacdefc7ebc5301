// The client grpc-web, by XMLHttpRequest, as generated code calls it. A message with one field of text is a StringValue to it.

globalThis.XMLHttpRequest = require("xhr2");
const { GrpcWebClientBase, MethodDescriptor } = require("grpc-web");
const { StringValue } = require("google-protobuf/google/protobuf/wrappers_pb.js");
const { report, same } = require("./report.cjs");

const [service] = process.argv.slice(2);

function method(path, type) {
  const serialize = (message) => message.serializeBinary();
  return new MethodDescriptor(path, type, StringValue, StringValue, serialize, StringValue.deserializeBinary);
}

const greeter = method("/helloworld.Greeter/SayHello", "unary");
const stream = method("/callwright.tests.Echo/UnaryStream", "server_streaming");

function request(text) {
  const message = new StringValue();
  message.setValue(text);
  return message;
}

function unary(client, name) {
  return new Promise((resolve, reject) => {
    const answer = (error, message) => error ? reject(error) : resolve(message);
    client.rpcCall(service + greeter.getName(), request(name), {}, greeter, answer);
  });
}

/** The messages of a stream, and the status that it ends with. */
function streamed(client, text) {
  return new Promise((resolve) => {
    const messages = [];
    client.serverStreaming(service + stream.getName(), request(text), {}, stream)
      .on("data", (message) => messages.push(message.getValue()))
      .on("error", ({ code, message }) => resolve({ messages, status: [code, message] }))
      .on("end", () => resolve({ messages, status: [0, ""] }));
  });
}

async function rows() {
  for (const format of ["text", "binary"]) {
    const client = new GrpcWebClientBase({ format });
    const hello = (name) => unary(client, name);
    await report(`${format}/unary`, async () => same((await hello("you")).getValue(), "Hello, you!"));
    await report(`${format}/status_without_messages`, async () => {
      const error = await hello("nobody").then(() => null, (error) => error);
      same([error.code, error.message], [5, "nobody is here: ✗"]);
    });
    await report(`${format}/streaming`, async () => {
      const { messages, status } = await streamed(client, "20 1000");
      same([messages.map((message) => message.length), status], [Array(20).fill(1000), [0, ""]]);
    });
    await report(`${format}/status_behind_messages`, async () => {
      same(await streamed(client, "fail after one"), { messages: ["one"], status: [11, "no more: ✗"] });
    });
  }
}

rows();
