import { BadAnswer, Problem } from "./problem.js";
import { backoff, failure, pause, worthRepeating, type Given } from "./send.js";
import type { Preview, Refund } from "./types.js";

// Milliseconds.
const silenceMax = 45_000; // three pings of the gateway: after that nobody is there
const awayMax = 60_000; // without a word, over however many attempts
const returnIn = 3_000; // until the gateway says how soon one may come back
const eventMax = 1 << 20; // characters; a refund is a hundredth of it

/** An event of a stream (HTML, section 9.2). */
export interface Event {
  name: string;
  id: string;
  data: string;
}

type Stream = ReadableStream<Uint8Array>;

/** Opens a stream, after the event with that id. */
export type Open = (last: string | undefined, signal: AbortSignal) => Promise<Given<Stream | null>>;

/** How long to bear with what; in milliseconds. Tests are less patient. */
export interface Patience {
  /** For a stream to begin. */
  timeout: number;
  /** The first pause after a failure. */
  pause: number;
  silence?: number;
  away?: number;
}

/** Follows a refund over one stream after another, until it is final. */
export async function* follow(open: Open, patience: Patience, signal: AbortSignal | undefined): AsyncGenerator<Refund | Preview, void, undefined> {
  const { silence = silenceMax, away = awayMax } = patience;
  let last: string | undefined;
  let wait = returnIn;
  let heard = Date.now();
  for (let failures = 1; ; failures++) {
    const control = new AbortController();
    const leave = () => control.abort(signal?.reason);
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave, { once: true });
    let quiet = setTimeout(() => control.abort(), patience.timeout);
    try {
      const body = await begin(open, last, control.signal);
      for await (const event of read(body, (milliseconds) => (wait = Math.min(milliseconds, away)), () => {
        clearTimeout(quiet);
        quiet = setTimeout(() => control.abort(), silence);
      })) {
        heard = Date.now();
        failures = 1;
        if (event.id !== "") last = event.id;
        if (event.name !== "refund") continue; // a ping, or something newer than we are
        const now = parse(event.data);
        clearTimeout(quiet); // the loop may take its time
        yield now;
        if (now.status !== "preview" && now.status !== "processing") return;
      }
    } catch (error) {
      const why = failure(error, signal);
      const asked = worthRepeating(why);
      if (asked === undefined || asked > away || Date.now() - heard > away) throw why;
      wait = Math.max(wait, asked);
    } finally {
      clearTimeout(quiet);
      signal?.removeEventListener("abort", leave);
      control.abort(); // whatever is still open
    }
    await pause(Math.max(wait, backoff(patience.pause, failures)), signal);
  }
}

async function begin(open: Open, last: string | undefined, signal: AbortSignal): Promise<Stream> {
  const { data, error, response } = await open(last, signal);
  if (!response.ok) throw new Problem(response, error);
  if (response.status !== 200 || !data || !/^text\/event-stream\b/.test(response.headers.get("Content-Type") ?? "")) {
    throw new BadAnswer("it isn't a stream of events");
  }
  return data;
}

function parse(data: string): Refund | Preview {
  const now: unknown = JSON.parse(data);
  if (typeof now === "object" && now !== null && "status" in now && typeof now.status === "string") return now as Refund | Preview;
  throw new BadAnswer("an event is no refund");
}

/** Reads a stream of server-sent events, whose lines end in LF or CRLF. One that the stream ends within is none. */
export async function* read(body: Stream, retry: (milliseconds: number) => void, alive: () => void): AsyncGenerator<Event, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let event: Event = { name: "", id: "", data: "" };
  let data: string[] = [];
  try {
    for (;;) {
      alive();
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop()!;
      if (rest.length + data.join("").length > eventMax) throw new BadAnswer("an event is too long");
      for (const ended of lines) {
        const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
        if (line === "") {
          if (data.length > 0) yield { ...event, data: data.join("\n") };
          event = { name: "", id: "", data: "" };
          data = [];
          continue;
        }
        const colon = line.indexOf(":"); // a comment has no name
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
        if (field === "event") event.name = value;
        else if (field === "data") data.push(value);
        else if (field === "id") event.id = value;
        else if (field === "retry" && /^[0-9]+$/.test(value)) retry(Number(value));
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it broke off, and that is told already
  }
}
