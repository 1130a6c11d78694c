import createClient, { type Client as Contract } from "openapi-fetch";

import type { paths } from "./contract.js";
import { follow } from "./events.js";
import { refusedWith } from "./problem.js";
import { again, NotSent, once, type Answer, type Doubt, type Given, type Manner } from "./send.js";
import type {
  Approval, Ask, AssistedSession, Attendance, Balance, Challenge, Code, Confirmation, Looks, Menu, Page, Preview, Profile, Proof, Refund, RefundItem, Request as Asked, Service,
} from "./types.js";

export interface Options {
  /** The gateway's address, such as https://refunds.bank.example. */
  baseUrl: string;
  /**
   * The caller's access token, of the bank's own issuer: the customer's, or at the counter the teller's. A function is asked
   * before each request, so it is the place to renew one.
   */
  token: string | (() => string | Promise<string>);
  /** Of the title and detail of problems; Arabic unless given. What is on screens comes in both anyway. */
  language?: "ar" | "en";
  /** How often a call is made that may be repeated, 4 unless given; 1 repeats nothing. */
  attempts?: number;
  /** Bounds one attempt of one call, in milliseconds; 30,000 unless given. It doesn't bound events. */
  timeout?: number;
  /** The first pause between two attempts, in milliseconds; 200 unless given. It doubles, and Retry-After comes before it. */
  pause?: number;
  /** The session at the counter in whose name all calls are made, with a teller's token: see `assisted`. */
  assistedSession?: string;
  /** Instead of the platform's own. */
  fetch?: typeof globalThis.fetch;
}

export interface Call {
  /** Ends the call: its promise is rejected with the signal's reason. What became of it is then unknown. */
  signal?: AbortSignal;
}

export interface Paged extends Call {
  /** 1 to 100, 20 unless given. */
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
}

const pageMax = 100; // the most that the API gives at once
const pagesMax = 1000; // after a hundred thousand items something is wrong

/**
 * One caller's way to a gateway, in the order of the path. A refusal is thrown as a `Problem`.
 *
 * A call is repeated only where that can do no harm: what reads, what withdraws or ends, a preview (under one
 * Idempotency-Key, made for it) and a confirm without a code (the refund's id is its key). It is repeated when no answer
 * came, when a proxy answered for a gateway that it couldn't reach, and on try_again; not before Retry-After, and a few
 * times only. A code is never asked for, sent anew or entered a second time: the customer would get another SMS, or lose a try.
 */
export class Client {
  readonly #api: Contract<paths>;
  readonly #options: Options;
  readonly #manner: Manner;

  constructor(options: Options) {
    const base = new URL(options.baseUrl);
    if (!/^https?:$/.test(base.protocol) || base.username || base.password || base.search || base.hash) {
      throw new RangeError("the gateway's address is an http or https URL with a host and a path alone");
    }
    const { attempts = 4, timeout = 30_000, pause = 200 } = options;
    if (!(attempts >= 1 && timeout > 0 && pause > 0)) throw new RangeError("an option is out of range");
    this.#options = options;
    this.#manner = { attempts, timeout, pause };
    this.#api = createClient<paths>({
      baseUrl: options.baseUrl,
      // Looked up at each call, so that whoever replaces the platform's fetch later is obeyed.
      fetch: (request) => (options.fetch ?? globalThis.fetch)(request),
      // A redirect would carry the token to wherever the answer says.
      redirect: "manual",
      credentials: "omit",
      cache: "no-store",
    });
  }

  /** Step 3. It needs a proof, as everything does up to the preview: see `challenge`. */
  async profile(call: Call = {}): Promise<Profile> {
    return (await this.#again(call, (init) => this.#api.GET("/v1/profile", init))).data;
  }

  /** Step 4: has a code sent to the customer's phone. A new challenge is the end of an older one. */
  async challenge(call: Call = {}): Promise<Challenge> {
    return (await this.#once(call, (init) => this.#api.POST("/v1/otp/challenges", { ...init, body: { purpose: "profile" } }))).data;
  }

  /** Has a code sent that is good for confirming this preview and nothing else. */
  async challengeRefund(refundId: string, call: Call = {}): Promise<Challenge> {
    const body = { purpose: "refund", refund_id: refundId } as const;
    return (await this.#once(call, (init) => this.#api.POST("/v1/otp/challenges", { ...init, body }))).data;
  }

  /** Has another code sent for a challenge; the one before is dead, its failures count. Not before `resend_after`. */
  async resend(challengeId: string, call: Call = {}): Promise<Challenge> {
    const params = { path: { challenge_id: challengeId } };
    return (await this.#once(call, (init) => this.#api.POST("/v1/otp/challenges/{challenge_id}/resend", { ...init, params }))).data;
  }

  /** Enters a profile's code, as the customer typed it. */
  async verify(challengeId: string, code: string, call: Call = {}): Promise<Proof> {
    const params = { path: { challenge_id: challengeId } };
    const body = { code };
    return (await this.#once(call, (init) => this.#api.POST("/v1/otp/challenges/{challenge_id}/verify", { ...init, params, body }))).data;
  }

  /** Step 5, the menu. */
  async payments(call: Call = {}): Promise<Menu> {
    return (await this.#again(call, (init) => this.#api.GET("/v1/payments", init))).data;
  }

  /** Step 6: the services that the customer has requests of, in any state. */
  async services(call: Call = {}): Promise<Service[]> {
    return (await this.#again(call, (init) => this.#api.GET("/v1/payments/e-payments", init))).data.items;
  }

  /** Steps 7 and 8: all requests of a service, refundable or not. The next page is asked for when it is reached. */
  requests(service: string, call: Call = {}): AsyncGenerator<Asked, void, undefined> {
    return all((cursor) => this.requestPage(service, { ...call, limit: pageMax, ...cursor }));
  }

  /** One page of `requests`. */
  async requestPage(service: string, page: Paged = {}): Promise<Page<Asked>> {
    const params = { path: { service }, query: query(page) };
    return (await this.#again(page, (init) => this.#api.GET("/v1/payments/e-payments/{service}/requests", { ...init, params }))).data;
  }

  /**
   * Steps 9 and 10: what will happen if it is confirmed. Nothing has happened yet. The same key and contents give the same
   * preview, while it lives; without a key, one is made for the call.
   */
  async preview(ask: Ask, call: Call & { key?: string } = {}): Promise<Preview & { replayed: boolean }> {
    const params = { header: { "Idempotency-Key": call.key ?? makeKey() } };
    return withReplay(await this.#again(call, (init) => this.#api.POST("/v1/refunds", { ...init, params, body: ask })));
  }

  /**
   * Step 11. A preview whose `confirm_requires` is "code" takes the one that `challengeRefund` had sent. The refund's id is
   * its key: confirming again, ever, is the same refund. With a code it is sent once: after a `NoAnswer`, `refund` tells what
   * became of it.
   */
  async confirm(refundId: string, code?: { challenge_id: string; code: string }, call: Call = {}): Promise<Confirmation & { replayed: boolean }> {
    const params = { path: { refund_id: refundId } };
    const send = (init: Init) => this.#api.POST("/v1/refunds/{refund_id}/confirm", { ...init, params, body: code ?? {} });
    return withReplay(await (code ? this.#once(call, send) : this.#again(call, send)));
  }

  /** What became of a preview, or the preview itself; `status` tells which. */
  async refund(refundId: string, call: Call = {}): Promise<Refund | Preview> {
    const params = { path: { refund_id: refundId } };
    return (await this.#again(call, (init) => this.#api.GET("/v1/refunds/{refund_id}", { ...init, params }))).data;
  }

  /** All of the customer's refunds, newest first, without their timelines. */
  refunds(call: Call = {}): AsyncGenerator<RefundItem, void, undefined> {
    return all((cursor) => this.refundPage({ ...call, limit: pageMax, ...cursor }));
  }

  /** One page of `refunds`. */
  async refundPage(page: Paged = {}): Promise<Page<RefundItem>> {
    return (await this.#again(page, (init) => this.#api.GET("/v1/refunds", { ...init, params: { query: query(page) } }))).data;
  }

  /** The customer's refund with that reference (RF…), without its timeline; undefined when there is none. */
  async findRefund(reference: string, call: Call = {}): Promise<RefundItem | undefined> {
    return (await this.#again(call, (init) => this.#api.GET("/v1/refunds", { ...init, params: { query: { reference } } }))).data.items[0];
  }

  /**
   * What becomes of a refund, or of a preview and the refund that it becomes: how it stands now, then each change as it
   * happens, until it is final. A stream that ends or breaks off before that is taken up again where it was, under a new
   * token if there is one, until the signal says otherwise or the gateway has been away for a minute.
   */
  events(refundId: string, call: Call = {}): AsyncGenerator<Refund | Preview, void, undefined> {
    const open = async (last: string | undefined, signal: AbortSignal) => {
      const { headers } = await this.#init(signal);
      const params = { path: { refund_id: refundId }, header: last === undefined ? {} : { "Last-Event-ID": last } };
      return this.#api.GET("/v1/refunds/{refund_id}/events", {
        params, signal, headers: { ...headers, Accept: "text/event-stream" }, parseAs: "stream",
      });
    };
    return follow(open, this.#manner, call.signal);
  }

  /** A page to print, in Arabic and English: HTML. not_found for a preview. */
  async receipt(refundId: string, call: Call = {}): Promise<string> {
    const params = { path: { refund_id: refundId } };
    return (await this.#again(call, (init) => this.#api.GET("/v1/refunds/{refund_id}/receipt", { ...init, params, parseAs: "text" }))).data;
  }

  /** Withdraws a preview, or a refund that was never sent. too_late when it may have been. */
  async cancel(refundId: string, call: Call = {}): Promise<void> {
    const params = { path: { refund_id: refundId } };
    await this.#end("not_found", call, (init) => this.#api.DELETE("/v1/refunds/{refund_id}", { ...init, params }));
  }

  /**
   * What is left unused under a number: everything under the customer's own, and under another what the customer paid for
   * it. There are thirty of them an hour, so one that fails isn't repeated.
   */
  async balanceInquiry(idNumber: string, call: Call = {}): Promise<Balance> {
    return (await this.#once(call, (init) => this.#api.POST("/v1/balance-inquiries", { ...init, body: { id_number: idNumber } }))).data;
  }

  /** Signs the customer out: no token of this session is believed from then on. A refund that was confirmed goes on. */
  async endSession(call: Call = {}): Promise<void> {
    await this.#end("unauthenticated", call, (init) => this.#api.DELETE("/v1/session", init));
  }

  /**
   * Begins to serve a customer, under a teller's token. A code goes out to the customer's phone, which they type on the
   * keypad that is turned to them; the teller never sees it. `identity_check` is for who can't be sent one.
   */
  async assist(attendance: Attendance, call: Call = {}): Promise<AssistedSession> {
    return (await this.#once(call, (init) => this.#api.POST("/v1/assisted-sessions", { ...init, body: attendance }))).data;
  }

  /** Enters the code of an assisted session, as the customer typed it. */
  async verifyAssisted(assistedSessionId: string, code: string, call: Call = {}): Promise<Proof> {
    const params = { path: { assisted_session_id: assistedSessionId } };
    const body = { code };
    return (await this.#once(call, (init) => this.#api.POST("/v1/assisted-sessions/{assisted_session_id}/verify", { ...init, params, body }))).data;
  }

  /** Walks the path for the customer of an assisted session, once that is verified, with the same teller's token. */
  assisted(assistedSessionId: string): Client {
    return new Client({ ...this.#options, assistedSession: assistedSessionId });
  }

  /** For when the customer leaves. */
  async endAssisted(assistedSessionId: string, call: Call = {}): Promise<void> {
    const params = { path: { assisted_session_id: assistedSessionId } };
    await this.#end("not_found", call, (init) => this.#api.DELETE("/v1/assisted-sessions/{assisted_session_id}", { ...init, params }));
  }

  /** All that awaits a decision of an approver's, under their token: first what lapses first. */
  approvals(call: Call = {}): AsyncGenerator<Approval, void, undefined> {
    return all((cursor) => this.approvalPage({ ...call, limit: pageMax, ...cursor }));
  }

  /** One page of `approvals`. */
  async approvalPage(page: Paged = {}): Promise<Page<Approval>> {
    return (await this.#again(page, (init) => this.#api.GET("/v1/approvals", { ...init, params: { query: query(page) } }))).data;
  }

  /** How employees have looked at customers, under an approver's token: the latest day first. */
  lookups(call: Call = {}): AsyncGenerator<Looks, void, undefined> {
    return all((cursor) => this.lookupPage({ ...call, limit: pageMax, ...cursor }));
  }

  /** One page of `lookups`. */
  async lookupPage(page: Paged = {}): Promise<Page<Looks>> {
    return (await this.#again(page, (init) => this.#api.GET("/v1/lookups", { ...init, params: { query: query(page) } }))).data;
  }

  /**
   * Lets a refund that awaits approval go on. The digest is that of the approval that was decided on. It is sent once: after
   * a `NoAnswer`, already_decided may mean that this was the decision.
   */
  async approve(refundId: string, note: string, digest: string, call: Call = {}): Promise<Confirmation> {
    const params = { path: { refund_id: refundId } };
    const body = { note, digest };
    return (await this.#once(call, (init) => this.#api.POST("/v1/approvals/{refund_id}/approve", { ...init, params, body }))).data;
  }

  /** Cancels a refund that awaits approval. It is sent once, as `approve` is. */
  async reject(refundId: string, note: string, call: Call = {}): Promise<Confirmation> {
    const params = { path: { refund_id: refundId } };
    return (await this.#once(call, (init) => this.#api.POST("/v1/approvals/{refund_id}/reject", { ...init, params, body: { note } }))).data;
  }

  /** Lets a customer in again whom wrong codes keep out. It counts as a look at them, so one that fails isn't repeated. */
  async unblock(idNumber: string, note: string, call: Call = {}): Promise<void> {
    const body = { id_number: idNumber, note };
    await this.#once(call, (init) => this.#api.POST("/v1/unblocks", { ...init, body }));
  }

  #once<T>(call: Call, send: (init: Init) => Promise<Given<T>>): Promise<Answer<T>> {
    return once(this.#manner, call.signal, async (signal) => send(await this.#init(signal)));
  }

  #again<T>(call: Call, send: (init: Init) => Promise<Given<T>>, doubt?: Doubt): Promise<Answer<T>> {
    return again(this.#manner, call.signal, async (signal) => send(await this.#init(signal)), doubt);
  }

  /** Makes something be no more. When an answer got lost, "there is none" to the next attempt is the success of an earlier one. */
  async #end(none: Code, call: Call, send: (init: Init) => Promise<Given<unknown>>): Promise<void> {
    const doubt: Doubt = { possible: false };
    try {
      await this.#again(call, send, doubt);
    } catch (error) {
      if (!(doubt.possible && refusedWith(error, none))) throw error;
    }
  }

  /** What every request has. */
  async #init(signal: AbortSignal): Promise<Init> {
    const { token, language = "ar", assistedSession } = this.#options;
    let value: string;
    try {
      value = typeof token === "string" ? token : await token();
    } catch (cause) {
      throw new NotSent("no token", { cause });
    }
    if (!/^[\x21-\x7e]+$/.test(value)) {
      // fetch would say so, too, and repeat the token.
      throw new NotSent("no token", { cause: new TypeError("the token has characters that no header may have") });
    }
    const headers: Record<string, string> = { Authorization: `Bearer ${value}`, "Accept-Language": language };
    if (assistedSession !== undefined) headers["Assisted-Session"] = assistedSession;
    return { signal, headers };
  }
}

type Init = {
  signal: AbortSignal;
  headers: Record<string, string>;
};

function query(page: Paged): { limit?: number; cursor?: string } {
  return {
    ...(page.limit === undefined ? {} : { limit: page.limit }),
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
  };
}

function withReplay<T extends object>(answer: Answer<T>): T & { replayed: boolean } {
  return { ...answer.data, replayed: answer.response.headers.get("Idempotent-Replay") === "true" };
}

/** Goes through a list page by page. */
async function* all<T>(page: (cursor: { cursor?: string }) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  for (let pages = 0; pages < pagesMax; pages++) {
    const { items, next_cursor: next } = await page(cursor === undefined ? {} : { cursor });
    yield* items;
    if (next === null) return;
    if (next === cursor) break;
    cursor = next;
  }
  throw new RangeError("the list doesn't end");
}

/**
 * An Idempotency-Key. It has to be unlike the session's others, which is all that it is compared with, and needn't be
 * secret: crypto.randomUUID isn't in Node 18, nor on a page without TLS.
 */
function makeKey(): string {
  const part = () => Math.random().toString(36).slice(2).padStart(11, "0");
  return `${Date.now().toString(36)}-${part()}-${part()}`;
}
