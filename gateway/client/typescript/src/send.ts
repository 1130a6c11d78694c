import { BadAnswer, NoAnswer, Problem } from "./problem.js";

/** Milliseconds. */
const pauseMost = 5_000; // between attempts, unless Retry-After asks for more
const patience = 60_000; // a longer Retry-After is the caller's to decide on

/** How calls are made. Times are milliseconds. */
export interface Manner {
  attempts: number;
  timeout: number;
  pause: number;
}

/** What openapi-fetch gives. */
export interface Given<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export interface Answer<T> {
  data: T;
  response: Response;
}

/** Whether an attempt that failed may have had an effect all the same. */
export interface Doubt {
  possible: boolean;
}

/** Makes a call once. */
export async function once<T>(manner: Manner, signal: AbortSignal | undefined, attempt: (signal: AbortSignal) => Promise<Given<T>>): Promise<Answer<T>> {
  return within(manner.timeout, signal, async (bounded) => {
    let given: Given<T>;
    try {
      given = await attempt(bounded);
    } catch (error) {
      throw failure(error, signal);
    }
    if (!given.response.ok) throw new Problem(given.response, given.error);
    return { data: given.data as T, response: given.response };
  });
}

/** Makes a call that does no harm when it is made again, and again where that may help. */
export async function again<T>(
  manner: Manner,
  signal: AbortSignal | undefined,
  attempt: (signal: AbortSignal) => Promise<Given<T>>,
  doubt: Doubt = { possible: false },
): Promise<Answer<T>> {
  for (let n = 1; ; n++) {
    try {
      return await once(manner, signal, attempt);
    } catch (error) {
      const wait = worthRepeating(error);
      if (wait === undefined || wait > patience || n >= manner.attempts) throw error;
      if (!(error instanceof Problem && error.code === "try_again")) doubt.possible = true;
      await pause(Math.max(wait, backoff(manner.pause, n)), signal);
    }
  }
}

/** How long to wait at least, in milliseconds, before an attempt that may fare better; undefined when none will. */
export function worthRepeating(error: unknown): number | undefined {
  if (error instanceof NoAnswer) return 0;
  if (!(error instanceof Problem)) return undefined;
  const asked = (error.retryAfter ?? 0) * 1000;
  switch (error.code) {
    case "try_again": // nothing was decided
    case "idempotency_in_progress": // an attempt before this one is still running
      return asked;
    case "": // a proxy that got no answer
      return [502, 503, 504].includes(error.status) ? asked : undefined;
    default:
      return undefined;
  }
}

/**
 * How long to wait after the nth failure in a row: twice as long each time, less a random half, so that a crowd that failed
 * together doesn't come back together.
 */
export function backoff(first: number, n: number): number {
  const most = Math.min(first * 2 ** Math.min(n - 1, 10), pauseMost);
  return most / 2 + (Math.random() * most) / 2;
}

/** Waits; an aborted signal ends it, by its reason. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Runs something with a signal that ends with the caller's, or after a time. (AbortSignal.any is newer than Node 18.) */
async function within<T>(milliseconds: number, signal: AbortSignal | undefined, run: (bounded: AbortSignal) => Promise<T>): Promise<T> {
  const control = new AbortController();
  const stop = () => control.abort(signal?.reason);
  const timer = setTimeout(() => control.abort(new DOMException("the attempt took too long", "TimeoutError")), milliseconds);
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
  try {
    return await run(control.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** What a call that threw is told as: the caller's own abort as it is, what can't be read as that, all else as no answer. */
export function failure(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof Problem || error instanceof BadAnswer) return error;
  if (error instanceof NotSent) return error.cause;
  if (error instanceof SyntaxError) return new BadAnswer("it isn't JSON"); // whose own words would repeat the answer
  return new NoAnswer(error);
}

/** Wraps why a call was never sent, so that it isn't taken for a lost answer. */
export class NotSent extends Error {}
