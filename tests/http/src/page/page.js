// The rows: each is reported to the page's own server, which waits for the last.

import { call, field, message, text, utf8 } from "/grpc_web.js";

const parameters = new URLSearchParams(location.search);
const [service, closed] = [parameters.get("service"), parameters.get("closed")];
const greeter = "/helloworld.Greeter/SayHello";
const echo = (method) => `/callwright.tests.Echo/${method}`;

const words = (...all) => all.map((word) => message(utf8(word)));
const textOf = (bytes) => text(field(bytes));

function same(what, got, wanted) {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${what}: got ${one}, wanted ${other}`);
}

async function unary(inText) {
  const answer = await call(service + greeter, words("you"), { inText });
  same("messages", answer.messages.map(textOf), ["Hello, you!"]);
  same("status", [answer.status, answer.details], [0, ""]);
}

async function streaming(inText) {
  const answer = await call(service + echo("UnaryStream"), words("100 10"), { inText });
  same("sizes", answer.messages.map((message) => field(message).length), Array(100).fill(10));
  same("status", answer.status, 0);
}

/** The second message is sent when the first has arrived. */
async function incremental(inText) {
  const got = [];
  const onMessage = async (message) => {
    got.push(textOf(message));
    if (got.length === 1) await call(service + greeter, words("go"));
  };
  const answer = await call(service + echo("UnaryStream"), words("steps"), { inText, onMessage });
  same("messages", [got, answer.status], [["first", "second"], 0]);
}

async function clientStreaming(inText) {
  const answer = await call(service + echo("StreamUnary"), words("a", "bc", "def"), { inText });
  same("bytes", answer.messages.map(textOf), ["6"]);
}

async function largeStream(inText) {
  const [count, size] = [64, 65536];
  const answer = await call(service + echo("UnaryStream"), words(`${count} ${size}`), { inText });
  const whole = answer.messages.every((message) => field(message).length === size && field(message).every((byte) => byte === 7));
  same("messages", [answer.messages.length, whole, answer.status], [count, true, 0]);
}

const rows = {
  unary_binary: () => unary(false),
  unary_text: () => unary(true),
  streaming_binary: () => streaming(false),
  streaming_text: () => streaming(true),
  incremental_binary: () => incremental(false),
  incremental_text: () => incremental(true),
  client_streaming_binary: () => clientStreaming(false),
  client_streaming_text: () => clientStreaming(true),
  large_stream_binary: () => largeStream(false),
  large_stream_text: () => largeStream(true),

  async status_without_messages() {
    const answer = await call(service + greeter, words("nobody"));
    same("status", [answer.status, answer.details, answer.messages.length], [5, "nobody is here: ✗", 0]);
    // In the headers, which a page of another origin sees because they are exposed.
    same("trailers", answer.trailers, null);
    same("details", answer.headers.get("grpc-status-details-bin"), btoa("details").replace(/=+$/, ""));
  },

  async status_behind_messages() {
    const answer = await call(service + echo("UnaryStream"), words("fail after one"));
    same("messages", answer.messages.map(textOf), ["one"]);
    same("status", [answer.status, answer.details], [11, "no more: ✗"]);
  },

  async unimplemented() {
    same("status", (await call(service + "/helloworld.Greeter/Nope", words("you"))).status, 12);
  },

  async metadata() {
    const answer = await call(service + greeter, words("you"), { headers: { "x-request-id": "42" } });
    same("initial", [answer.headers.get("x-greeter"), answer.headers.get("x-hidden")], ["yes", null]);
    same("trailing", [answer.trailers.get("cost"), answer.trailers.get("cost-bin")], ["3", "AAEC"]);
  },

  async deadline() {
    same("status", (await call(service + greeter, words("forever"), { headers: { "grpc-timeout": "200m" } })).status, 4);
  },

  async cancel() {
    const controller = new AbortController();
    const onMessage = () => controller.abort();
    let failure = null;
    await call(service + echo("UnaryStream"), words("forever after one"), { signal: controller.signal, onMessage })
      .catch((error) => { failure = error.name; });
    same("failure", failure, "AbortError");
    // That of the row before was dropped too.
    same("handlers", (await call(service + greeter, words("until dropped: 2"))).status, 0);
  },

  async other_origin_refused() {
    let failure = null;
    await call(closed + greeter, words("you")).catch((error) => { failure = error.name; });
    same("failure", failure, "TypeError");
  },
};

const report = (row, error) => fetch("/report", { method: "POST", body: error ? `${row}\n${error}` : row });

for (const [row, test] of Object.entries(rows)) {
  const error = await test().then(() => null, (error) => error.stack ?? String(error));
  await report(row, error);
}
await report("done");
