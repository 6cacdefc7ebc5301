// gRPC-Web by fetch, binary and text, and as much of protobuf as a message with one field of text or bytes needs.

const TRAILERS = 0x80;

export const utf8 = (text) => new TextEncoder().encode(text);
export const text = (bytes) => new TextDecoder().decode(bytes);

/** A message whose field 1 is these bytes. */
export function message(bytes) {
  if (bytes.length === 0) return new Uint8Array();
  const prefix = [0x0a];
  let size = bytes.length;
  for (; size > 0x7f; size >>>= 7) prefix.push((size & 0x7f) | 0x80);
  prefix.push(size);
  return concat([Uint8Array.from(prefix), bytes]);
}

/** The bytes of field 1. */
export function field(message) {
  if (message.length === 0) return message;
  if (message[0] !== 0x0a) throw new Error(`no field 1: ${message}`);
  let [size, shift, at] = [0, 0, 1];
  for (; ; at++, shift += 7) {
    size += (message[at] & 0x7f) * 2 ** shift;
    if (message[at] < 0x80) break;
  }
  if (message.length !== at + 1 + size) throw new Error("the message has another size");
  return message.subarray(at + 1);
}

function concat(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function frame(message) {
  const prefix = new Uint8Array(5);
  new DataView(prefix.buffer).setUint32(1, message.length);
  return concat([prefix, message]);
}

function base64(bytes) {
  let characters = "";
  for (const byte of bytes) characters += String.fromCharCode(byte);
  return btoa(characters);
}

/** Decodes base64 that may be padded at any four characters. */
function decode(text) {
  const parts = text.match(/[^=]{1,}={0,2}/g) ?? [];
  return concat(parts.map((part) => Uint8Array.from(atob(part), (character) => character.charCodeAt(0))));
}

/**
 * Calls a method with these messages, and gives what came: the messages, as they come to `onMessage` too, the status, the
 * headers of the response, and the trailers.
 */
export async function call(url, messages, { inText = false, headers = {}, signal, onMessage } = {}) {
  const type = inText ? "application/grpc-web-text" : "application/grpc-web+proto";
  const frames = messages.map(frame);
  // Each message is padded for itself: the server has to take text like that.
  const body = inText ? frames.map(base64).join("") : concat(frames);
  const accept = inText ? { accept: type } : {};
  const request = { method: "POST", body, signal, headers: { "content-type": type, "x-grpc-web": "1", ...accept, ...headers } };
  const response = await fetch(url, request);
  if (response.status !== 200) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  if (response.headers.get("content-type") !== (inText ? "application/grpc-web-text+proto" : type)) {
    throw new Error(`content-type ${response.headers.get("content-type")}`);
  }
  const received = [];
  let trailers = null;
  for await (const { flag, content } of framesOf(response.body.getReader(), inText)) {
    if (trailers) throw new Error("something came behind the trailers");
    if (flag === TRAILERS) {
      trailers = lines(text(content));
    } else {
      received.push(content);
      await onMessage?.(content);
    }
  }
  const fields = trailers ?? response.headers;
  const status = Number(fields.get("grpc-status") ?? NaN);
  const details = decodeURIComponent(fields.get("grpc-message") ?? "");
  return { messages: received, status, details, headers: response.headers, trailers };
}

function lines(block) {
  return new Map(block.split("\r\n").filter((line) => line).map((line) => line.split(/: (.*)/s, 2)));
}

async function* framesOf(reader, inText) {
  let [left, characters] = [[], ""];
  let size = 0;
  const take = (wanted) => {
    const whole = left.length === 1 ? left[0] : concat(left);
    [left, size] = [[whole.subarray(wanted)], size - wanted];
    return whole.subarray(0, wanted);
  };
  let wanted = null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    let bytes = value;
    if (inText) {
      characters += text(value);
      const whole = characters.length - (characters.length % 4);
      bytes = decode(characters.slice(0, whole));
      characters = characters.slice(whole);
    }
    left.push(bytes);
    size += bytes.length;
    for (;;) {
      if (wanted === null) {
        if (size < 5) break;
        const prefix = take(5);
        wanted = { flag: prefix[0], size: new DataView(prefix.buffer, prefix.byteOffset).getUint32(1) };
      }
      if (size < wanted.size) break;
      yield { flag: wanted.flag, content: take(wanted.size) };
      wanted = null;
    }
  }
  if (size > 0 || wanted || characters) throw new Error("the body ends in the middle of a message");
}
