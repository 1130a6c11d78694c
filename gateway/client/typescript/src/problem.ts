import type { components } from "./contract.js";
import type { Code, Fault, Links } from "./types.js";

/** A refusal (RFC 9457). What was typed is never in it. */
export class Problem extends Error {
  override readonly name = "Problem";
  /** What programs go by; empty when somebody between us and the gateway answered. */
  readonly code: Code | "";
  /** Of HTTP; 0 for a redirect in a browser. */
  readonly status: number;
  readonly title: string;
  /** What to do, for people, in the client's language. */
  readonly detail: string;
  /** What support asks for. */
  readonly requestId: string;
  /** With malformed_request: where. */
  readonly faults: readonly Fault[];
  /** With code_wrong. 0: the code is used up. */
  readonly attemptsLeft: number | undefined;
  /** Seconds. */
  readonly retryAfter: number | undefined;
  readonly links: Links;

  /** @internal */
  constructor(response: Response, body: unknown) {
    const told = isProblem(body) ? body : undefined;
    const requestId = told?.request_id ?? response.headers.get("X-Request-Id") ?? "";
    super(`${response.status} ${told?.code ?? "without a problem document"}${requestId && ` (request ${requestId})`}`);
    this.code = told?.code ?? "";
    this.status = response.status;
    this.title = told?.title ?? response.statusText;
    this.detail = told?.detail ?? "";
    this.requestId = requestId;
    this.faults = told?.errors ?? [];
    this.attemptsLeft = told?.attempts_left;
    this.retryAfter = told?.retry_after ?? seconds(response.headers.get("Retry-After"));
    this.links = told?.links ?? {};
  }
}

/** No answer came, or one that breaks off: what became of the call is unknown. `cause` says why. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";

  /** @internal */
  constructor(cause: unknown) {
    super("no answer: what became of the call is unknown", { cause });
  }
}

/** An answer came that isn't what the contract says. */
export class BadAnswer extends Error {
  override readonly name = "BadAnswer";

  /** @internal */
  constructor(what: string) {
    super(`the answer isn't what the contract says: ${what}`);
  }
}

/** Whether an error is the gateway's refusal with one of these codes. */
export function refusedWith<C extends Code>(error: unknown, ...codes: C[]): error is Problem & { readonly code: C } {
  return error instanceof Problem && (codes as string[]).includes(error.code);
}

function isProblem(body: unknown): body is components["schemas"]["Problem"] {
  return typeof body === "object" && body !== null && "code" in body && typeof body.code === "string" && body.code !== "";
}

/** Reads Retry-After (RFC 9110, 10.2.3): seconds, or a date. */
function seconds(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^[0-9]+$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
