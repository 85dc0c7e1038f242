// The page: who is in the room, what is said, what passes, and what it costs.

import { Session, draw, offer, short } from "./msrp.js";

const at = (id) => document.getElementById(id);
const page = {
  room: null, me: null, session: null, participant: null,
  people: new Map(), frames: [], left: 0, delays: [], lines: [],
};

// ---- The node, by its HTTP API ----

async function call(method, path, body) {
  const options = { method, cache: "no-store" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const text = await response.text();
  if (!response.ok) throw new Error(reason(text) || `${method} ${path}: ${response.status}`);
  return response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text;
}

/** What a refusal says. */
function reason(text) {
  try { return JSON.parse(text).detail; } catch { return text.trim(); }
}

function tell(id, text) { at(id).textContent = text; }

// ---- Coming and going ----

async function join(name) {
  page.room ??= await call("GET", "demo/room");
  const user = name.toLowerCase().replace(/[^a-z0-9]/g, "") || "guest";
  page.me = { name, uri: `sip:${user}-${draw(4).toLowerCase().replace(/[^a-z0-9]/g, "0")}@localhost` };
  const mine = offer();
  const added = await call("POST", `v1/rooms/${page.room.room}/participants`, { uri: page.me.uri, offer: { sdp: mine.sdp } });
  page.participant = added.participant;
  page.session = new Session(mine.uri, added.msrp_uri, { frame: onFrame, message: onMessage, end: onEnd });
  const { status, phrase } = await page.session.open();
  if (status !== 200) throw new Error(`the session was not taken: ${status} ${phrase}`);
  tell("state", `Joined ${page.room.uri} as ${name}, by MSRP over WebSocket.`);
  show(true);
  at("text").focus();
}

function show(isJoined) {
  at("join").hidden = isJoined;
  at("say").hidden = !isJoined;
  at("burst").disabled = !isJoined;
}

function onEnd(why) {
  page.session = null;
  tell("state", `Not joined: ${why}.`);
  show(false);
}

at("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  tell("state", "Joining.");
  try {
    await join(at("name").value.trim() || "guest");
  } catch (error) {
    onEnd(error.message);
  }
});

at("leave").addEventListener("click", () => {
  page.session?.close();
  at("name").focus();
});

// ---- Talk ----

at("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || !page.session) return;
  at("text").value = "";
  page.lines.push({ name: page.me.name, text, own: true });
  const { status, phrase, ms } = await send(text);
  if (status !== 200) page.lines.push({ name: "not sent", text: `${status} ${phrase}` });
  else tell("outcome", `Accepted for everybody after ${milliseconds(ms)}.`);
});

async function send(text) {
  const answer = await page.session.say(page.me, page.room.uri, text);
  if (answer.status === 200) page.delays.push(answer.ms);
  return answer;
}

function onMessage(message) { page.lines.push(message); }

function drawTalk() {
  const talk = at("talk");
  const isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40;
  for (const { name, text, own } of page.lines.splice(0).slice(-LINES_MAX)) {
    const line = document.createElement("li");
    const who = document.createElement("b");
    if (own) line.className = "own";
    who.textContent = `${name}: `;
    line.append(who, text);
    talk.append(line);
  }
  while (talk.childElementCount > LINES_MAX) talk.firstElementChild.remove();
  if (isAtEnd) talk.scrollTop = talk.scrollHeight;
}

// ---- Participants, by the events of the API ----

function watch() {
  const events = new EventSource(`v1/events?rooms=${page.room.room}`);
  const on = (type, act) => events.addEventListener(type, ({ data }) => {
    act(JSON.parse(data));
    drawPeople();
  });
  on("gap", () => page.people.clear());
  on("snapshot", ({ participants }) => {
    for (const one of participants) page.people.set(one.participant, one);
  });
  on("participant_joined", (one) => page.people.set(one.participant, { ...one, bound: false }));
  on("participant_bound", ({ participant }) => {
    const one = page.people.get(participant);
    if (one) one.bound = true;
  });
  on("nickname_changed", ({ participant, nickname }) => {
    const one = page.people.get(participant);
    if (one) one.nickname = nickname;
  });
  for (const type of ["participant_removed", "participant_lost"]) {
    on(type, ({ participant }) => page.people.delete(participant));
  }
}

function drawPeople() {
  const entries = [...page.people.values()].map((one) => {
    const line = document.createElement("li");
    const own = one.participant === page.participant ? " (you)" : "";
    line.textContent = `${one.nickname ?? short(one.entity)}${own}${one.bound ? "" : ", connecting"}`;
    return line;
  });
  at("people").replaceChildren(...entries);
}

// ---- Frames ----

function onFrame(direction, { what, octets }, data) {
  // The text of a frame is looked at when the frame is shown.
  page.frames.push({ direction, what, octets, data });
  if (page.frames.length > FRAMES_MAX) {
    page.frames.shift();
    page.left += 1;
  }
}

function drawFrames() {
  if (at("hold").checked || page.frames.length === 0) return;
  const list = at("frames");
  if (page.left > 0) list.prepend(note(`${page.left.toLocaleString("en")} more frames, too fast to show`));
  page.left = 0;
  for (const { direction, what, octets, data } of page.frames.splice(0)) {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    const line = document.createElement("li");
    const more = document.createElement("details");
    const summary = document.createElement("summary");
    const whole = document.createElement("pre");
    line.className = direction;
    summary.textContent = `${direction === "in" ? "received" : "sent"} ${what}, ${octets.toLocaleString("en")} octets`;
    whole.textContent = text.slice(0, FRAME_TEXT_MAX);
    more.append(summary, whole);
    line.append(more);
    list.prepend(line);
  }
  while (list.childElementCount > FRAMES_MAX) list.lastElementChild.remove();
}

function note(text) {
  const line = document.createElement("li");
  line.textContent = text;
  return line;
}

// ---- Buttons ----

at("burst").addEventListener("click", async () => {
  at("burst").disabled = true;
  tell("outcome", "Sending.");
  const { count, refused, ms } = await burst(BURST);
  const rate = Math.round(count / (ms / 1000)).toLocaleString("en");
  const rest = refused ? `, ${refused.toLocaleString("en")} were refused` : "";
  tell("outcome", `${count.toLocaleString("en")} messages accepted in ${milliseconds(ms)}, ${rate} a second${rest}.`);
  at("burst").disabled = page.session === null;
});

/** Sends so many messages, with some of them under way at a time. */
async function burst(wanted) {
  const start = performance.now();
  let [next, count, refused] = [0, 0, 0];
  const lane = async () => {
    while (next < wanted && page.session) {
      next += 1;
      const { status } = await send(`burst ${next} of ${wanted}`);
      if (status === 200) count += 1;
      else refused += 1;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { count, refused, ms: performance.now() - start };
}

/** A button that switches something of the node, and shows how it is. */
function toggle(id, act) {
  const button = at(id);
  button.addEventListener("click", async () => {
    const wanted = button.getAttribute("aria-pressed") !== "true";
    button.disabled = true;
    try {
      tell("outcome", await act(wanted));
      press(id, wanted);
    } catch (error) {
      tell("outcome", error.message);
    }
    button.disabled = false;
  });
}

function press(id, isPressed) { at(id).setAttribute("aria-pressed", String(isPressed)); }

toggle("slow", async (wanted) => {
  await call(wanted ? "PUT" : "DELETE", "demo/slow-reader");
  return wanted
    ? "A slow reader is in the room: it takes 2 KiB a second. Send 10,000 messages, and nobody else waits for it."
    : "The slow reader has left.";
});

toggle("drain", async (wanted) => {
  await call("POST", wanted ? "v1/node:drain" : "v1/node:undrain");
  return wanted
    ? "The node drains: it refuses new rooms, and those that run go on."
    : "The node takes new rooms again.";
});

// ---- Pictures ----

class Chart {
  constructor(id) {
    [this.second, this.first] = at(id).querySelectorAll("polyline");
    this.id = id;
    this.values = [];
  }

  /** One more pair of values; `write` makes words of a value. */
  add(first, second, text, write) {
    this.values.push([first, second]);
    if (this.values.length > SAMPLES) this.values.shift();
    const top = Math.max(...this.values.flat(), 1e-6);
    const points = (which) => this.values.map((pair, place) => {
      const x = ((place + SAMPLES - this.values.length) * 240) / (SAMPLES - 1);
      return `${x.toFixed(1)},${(61 - (58 * pair[which]) / top).toFixed(1)}`;
    }).join(" ");
    this.first.setAttribute("points", points(0));
    this.second.setAttribute("points", points(1));
    tell(`${this.id}-now`, text);
    tell(`${this.id}-top`, `full height: ${write(top)}`);
  }
}

const [rate, delay] = [new Chart("rate"), new Chart("delay")];

/** The sum of a metric over its labels that `select` likes. */
function sum(text, name, select = () => true) {
  let total = 0;
  for (const line of text.split("\n")) {
    const rest = line.startsWith(name) && /^(\{.*\})? (\S+)$/.exec(line.slice(name.length));
    if (rest && select(rest[1] ?? "")) total += Number(rest[2]);
  }
  return total;
}

let last = null;
async function look() {
  const [text, node, slow] = await Promise.all([call("GET", "metrics"), call("GET", "v1/node"), call("GET", "demo/slow-reader")]);
  const now = {
    time: performance.now(),
    messages: sum(text, "msrp_messages_total"),
    copies: sum(text, "msrp_copies_total", (labels) => /"(sent|delivered)"/.test(labels)),
    failed: sum(text, "msrp_copies_total", (labels) => !/"(sent|delivered)"/.test(labels)),
    behind: sum(text, "msrp_recipients_behind_total"),
  };
  for (const name of ["messages", "copies", "failed", "behind"]) tell(`c-${name}`, now[name].toLocaleString("en"));
  tell("c-participants", node.participants_count);
  tell("c-slow", slow.octets === null ? "not here" : `${slow.octets.toLocaleString("en")} octets`);
  press("slow", slow.octets !== null);
  press("drain", node.draining);
  if (last) {
    const seconds = (now.time - last.time) / 1000;
    const [into, out] = ["messages", "copies"].map((name) => (now[name] - last[name]) / seconds);
    rate.add(into, out, `${whole(into)} in, ${whole(out)} out`, whole);
  }
  last = now;
}

function lookAtDelays() {
  const delays = page.delays.splice(0).sort((a, b) => a - b);
  if (delays.length === 0) return;
  const [median, longest] = [delays[delays.length >> 1], delays.at(-1)];
  delay.add(median, longest, `median ${milliseconds(median)}, longest ${milliseconds(longest)}`, milliseconds);
}

function whole(value) { return Math.round(value).toLocaleString("en"); }

function milliseconds(ms) { return ms < 10 ? `${ms.toFixed(1)} ms` : `${whole(ms)} ms`; }

/** Does something again and again, the next time a while after it has ended. */
async function again(pause, act) {
  for (;;) {
    try {
      await act();
    } catch (error) {
      tell("outcome", `The node does not answer: ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function begin() {
  while (!page.room) {
    try {
      page.room = await call("GET", "demo/room");
    } catch (error) {
      tell("state", `Not joined: ${error.message}.`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  tell("state", "Not joined.");
  watch();
  again(1000, look);
  again(1000, async () => {
    lookAtDelays();
    const answer = await page.session?.signOfLife();
    if (answer?.status === 200) page.delays.push(answer.ms);
  });
  again(100, async () => {
    drawTalk();
    drawFrames();
  });
}

/** Messages of one burst, and how many of them wait for their answer at a time. */
const BURST = 10000;
const LANES = 256;
/** Lines of talk, frames, characters of a frame, and samples of a picture that are kept. */
const LINES_MAX = 200;
const FRAMES_MAX = 60;
const FRAME_TEXT_MAX = 2000;
const SAMPLES = 60;

begin();
