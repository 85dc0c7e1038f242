// MSRP over WebSocket (RFC 4975, RFC 7977) and Message/CPIM (RFC 3862), as much as a participant of a
// chat room needs. One WebSocket message is one frame.

const latin = new TextDecoder("latin1");
const utf8 = new TextDecoder();
const octets = new TextEncoder();

/** A random name of so many characters, as session-ids and transaction ids want it. */
export function draw(length = 20) {
  const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
  const random = crypto.getRandomValues(new Uint8Array(length));
  // The first character of an ident is a letter or a digit.
  return Array.from(random, (value, place) => characters[value % (place ? 63 : 62)]).join("");
}

/** The offer of a participant that connects by WebSocket, with its session URI. */
export function offer() {
  const uri = `msrp://${draw(12).toLowerCase().replace(/[^a-z0-9]/g, "x")}.invalid:2855/${draw()};ws`;
  const sdp = [
    "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
    "m=message 9 TCP/MSRP *", `a=path:${uri}`, "a=accept-types:message/cpim",
    "a=accept-wrapped-types:text/plain", `a=max-size:${MESSAGE_OCTETS_MAX}`, "a=setup:active", "",
  ].join("\r\n");
  return { uri, sdp };
}

/** Reads one frame. Throws when it is none. */
export function parse(data) {
  const all = new Uint8Array(data);
  const text = latin.decode(all);
  const start = /^MSRP ([A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}) (?:(\d{3})(?: ([^\r\n]*))?|([A-Z]+))\r\n/.exec(text);
  if (!start) throw new Error("a frame without start line");
  const [line, id, status, phrase, method] = start;
  const end = `-------${id}`;
  const endAt = text.length - end.length - 3;
  if (text.slice(endAt, -3) !== end || text.slice(-2) !== "\r\n") throw new Error("a frame without end line");
  const flag = text.at(-3);
  const blank = text.indexOf("\r\n\r\n", line.length - 2);
  const hasBody = blank >= 0 && blank < endAt;
  const headers = new Map();
  for (const field of text.slice(line.length, hasBody ? blank : endAt).split("\r\n")) {
    const colon = field.indexOf(":");
    if (colon > 0) headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
  }
  const body = hasBody ? all.subarray(blank + 4, Math.max(blank + 4, endAt - 2)) : null;
  return { id, method, status: status ? Number(status) : 0, phrase: phrase ?? "", flag, headers, body, octets: all.length };
}

/** Reads a Message/CPIM message: who wrote it, and its text. */
export function readCpim(body) {
  const [head, , ...rest] = utf8.decode(body).split(/\r\n\r\n/);
  const content = utf8.decode(body).slice(head.length + 4);
  const contentAt = content.indexOf("\r\n\r\n");
  const from = /^From:\s*(?:"?([^"<]*?)"?\s*)?<([^>]*)>/im.exec(head);
  return {
    name: from?.[1]?.trim() || short(from?.[2] ?? "somebody"),
    uri: from?.[2] ?? "",
    text: rest.length ? content.slice(contentAt + 4) : "",
  };
}

/** The user part of an address. */
export function short(uri) {
  return uri.replace(/^[a-z]+:/i, "").split(/[@;]/)[0];
}

function writeCpim({ name, uri }, room, text) {
  return `From: "${name.replace(/["\\\r\n]/g, "")}" <${uri}>\r\nTo: <${room}>\r\nDateTime: ${new Date().toISOString()}\r\n\r\n`
    + `Content-Type: text/plain;charset=utf-8\r\n\r\n${text}`;
}

/** One MSRP session on a WebSocket of its own. */
export class Session {
  #socket; #own; #peer; #waiting = new Map(); #parts = new Map();

  /** `on` has: frame(direction, frame, text), message({name, uri, text}), end(reason). */
  constructor(own, peer, on) {
    this.#own = own;
    this.#peer = peer;
    this.on = on;
  }

  /** Connects and names the session by a first request. */
  async open() {
    const [, host] = /^msrps?:\/\/(?:[^@/]*@)?([^/]+)\//.exec(this.#peer) ?? [];
    if (!host) throw new Error("the answer holds no path");
    this.#socket = new WebSocket(`ws://${host}/`, "msrp");
    this.#socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      this.#socket.onopen = resolve;
      this.#socket.onerror = () => reject(new Error(`no WebSocket at ${host}`));
    });
    this.#socket.onerror = null;
    this.#socket.onmessage = ({ data }) => this.#read(data);
    this.#socket.onclose = ({ code }) => this.#end(`the connection was closed (${code})`);
    return this.signOfLife();
  }

  /** How many requests wait for their answer. */
  get waiting() { return this.#waiting.size; }

  /** Sends a text to the room. Resolves with { status, phrase, ms }. */
  say(sender, room, text) {
    const body = writeCpim(sender, room, text);
    const length = octets.encode(body).length;
    return this.#request("SEND", [
      `Message-ID: ${draw()}`, `Byte-Range: 1-${length}/${length}`, "Content-Type: message/cpim",
    ], body);
  }

  /** A SEND without body: the other side answers, nobody is told anything. */
  signOfLife() {
    return this.#request("SEND", [`Message-ID: ${draw()}`], null);
  }

  /** Ends the session. */
  close() { this.#socket?.close(1000); }

  #request(method, fields, body) {
    const id = draw(16);
    const head = [`MSRP ${id} ${method}`, `To-Path: ${this.#peer}`, `From-Path: ${this.#own}`, ...fields].join("\r\n");
    const text = `${head}\r\n${body === null ? "" : `\r\n${body}\r\n`}-------${id}$\r\n`;
    return new Promise((resolve) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        resolve({ status: 0, phrase: "there is no connection", ms: 0 });
        return;
      }
      this.#waiting.set(id, { resolve, start: performance.now() });
      this.#write(method, text);
    });
  }

  #write(what, text) {
    const frame = octets.encode(text);
    this.#socket.send(frame);
    this.on.frame("out", { what, octets: frame.length }, text);
  }

  #read(data) {
    let frame;
    try {
      frame = parse(data);
    } catch (error) {
      this.#socket.close(1002);
      this.#end(String(error.message));
      return;
    }
    const what = frame.method ?? `${frame.status} ${frame.phrase}`;
    this.on.frame("in", { what, octets: frame.octets }, data);
    if (!frame.method) this.#answered(frame);
    else if (frame.method === "SEND") this.#receive(frame);
    else if (frame.method !== "REPORT") this.#respond(frame, "501 Method Not Understood");
  }

  #answered(frame) {
    const request = this.#waiting.get(frame.id);
    this.#waiting.delete(frame.id);
    request?.resolve({ status: frame.status, phrase: frame.phrase, ms: performance.now() - request.start });
  }

  #receive(frame) {
    const report = frame.headers.get("failure-report") ?? "yes";
    if (report === "yes") this.#respond(frame, "200 OK");
    const body = frame.body?.length ? this.#assemble(frame) : null;
    if (body && /^message\/cpim/i.test(frame.headers.get("content-type") ?? "")) this.on.message(readCpim(body));
  }

  /** The whole message, when this was its last chunk. */
  #assemble({ headers, body, flag }) {
    const id = headers.get("message-id") ?? "";
    const before = this.#parts.get(id) ?? new Uint8Array();
    this.#parts.delete(id);
    if (flag === "#" || before.length + body.length > MESSAGE_OCTETS_MAX) return null;
    const both = new Uint8Array(before.length + body.length);
    both.set(before);
    both.set(body, before.length);
    if (flag === "$") return both;
    if (this.#parts.size < UNFINISHED_MAX) this.#parts.set(id, both);
    return null;
  }

  #respond(frame, status) {
    const [to] = (frame.headers.get("from-path") ?? "").split(" ");
    const own = frame.headers.get("to-path") ?? this.#own;
    this.#write(status, `MSRP ${frame.id} ${status}\r\nTo-Path: ${to}\r\nFrom-Path: ${own}\r\n-------${frame.id}$\r\n`);
  }

  #end(reason) {
    for (const { resolve } of this.#waiting.values()) resolve({ status: 0, phrase: reason, ms: 0 });
    this.#waiting.clear();
    this.#socket.onclose = null;
    this.on.end(reason);
  }
}

/** Longest message that is taken, octets. */
const MESSAGE_OCTETS_MAX = 65536;
/** Messages of which a part has come; further ones are left out. */
const UNFINISHED_MAX = 64;
