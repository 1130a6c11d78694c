import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";

import { Client, NoAnswer, Problem, refusedWith } from "@istirdad/client";
import { problem, refusal, scripted, token, type Reply } from "./scripted.js";

const code = "482915";
const ask = { request_id: "rq-1", account_number: "SA4680000000055560800003", id_number: "2900000015" };

const tryAgain = problem(503, "try_again");
const empty: Reply = { status: 200, body: { items: [], next_cursor: null } };
const sent: Reply = { status: 201, body: { challenge_id: "ch-1" } };
const preview: Reply = { status: 201, body: { refund_id: "f-1", status: "preview" } };
const accepted: Reply = { status: 202, body: { refund_id: "f-1", status: "processing" } };

async function read(list: AsyncIterable<unknown>): Promise<unknown[]> {
  const items = [];
  for await (const item of list) items.push(item);
  return items;
}

/** Every call of the API, and whether it is one that may be made again. */
const calls: { name: string; safe: boolean; answer: Reply; call(c: Client): Promise<unknown> }[] = [
  { name: "profile", safe: true, answer: { status: 200, body: { customer_id: "c-1" } }, call: (c) => c.profile() },
  { name: "challenge", safe: false, answer: sent, call: (c) => c.challenge() },
  { name: "challengeRefund", safe: false, answer: sent, call: (c) => c.challengeRefund("f-1") },
  { name: "resend", safe: false, answer: sent, call: (c) => c.resend("ch-1") },
  { name: "verify", safe: false, answer: { status: 200, body: { verified: true } }, call: (c) => c.verify("ch-1", code) },
  { name: "payments", safe: true, answer: empty, call: (c) => c.payments() },
  { name: "services", safe: true, answer: empty, call: (c) => c.services() },
  { name: "requests", safe: true, answer: empty, call: (c) => read(c.requests("090-003")) },
  { name: "preview", safe: true, answer: preview, call: (c) => c.preview(ask) },
  { name: "confirm", safe: true, answer: accepted, call: (c) => c.confirm("f-1") },
  { name: "confirm with a code", safe: false, answer: accepted, call: (c) => c.confirm("f-1", { challenge_id: "ch-1", code }) },
  { name: "refund", safe: true, answer: { status: 200, body: { status: "completed" } }, call: (c) => c.refund("f-1") },
  { name: "refunds", safe: true, answer: empty, call: (c) => read(c.refunds()) },
  { name: "findRefund", safe: true, answer: empty, call: (c) => c.findRefund("RF0") },
  { name: "receipt", safe: true, answer: { status: 200, body: "<html>" }, call: (c) => c.receipt("f-1") },
  { name: "cancel", safe: true, answer: { status: 204 }, call: (c) => c.cancel("f-1") },
  { name: "balanceInquiry", safe: false, answer: { status: 200, body: {} }, call: (c) => c.balanceInquiry(ask.id_number) },
  { name: "endSession", safe: true, answer: { status: 204 }, call: (c) => c.endSession() },
  { name: "assist", safe: false, answer: { status: 201, body: {} }, call: (c) => c.assist({ id_number: ask.id_number, document_seen: true }) },
  { name: "verifyAssisted", safe: false, answer: { status: 200, body: {} }, call: (c) => c.verifyAssisted("as-1", code) },
  { name: "endAssisted", safe: true, answer: { status: 204 }, call: (c) => c.endAssisted("as-1") },
];

test("what may be sent again is, with the same key and body, and what may not isn't", async (t) => {
  const failures: { name: string; reply: Reply; is(error: unknown): boolean }[] = [
    { name: "no answer", reply: "break", is: (error) => error instanceof NoAnswer },
    { name: "try_again", reply: tryAgain, is: (error) => refusedWith(error, "try_again") },
    { name: "a proxy", reply: { status: 502, body: "<html>" }, is: (error) => error instanceof Problem && error.code === "" },
  ];
  for (const failure of failures) {
    for (const { name, safe, answer, call } of calls) {
      await t.test(`${name}, ${failure.name}`, async (t) => {
        const gateway = await scripted(t, failure.reply, failure.reply, answer);
        if (!safe) {
          assert.ok(failure.is(await refusal(call(gateway.client()))));
          assert.equal(gateway.asked.length, 1);
          return;
        }
        await call(gateway.client());
        assert.equal(gateway.asked.length, 3);
        const [first, ...more] = gateway.asked.map((a) => [a.call, a.body, a.headers["idempotency-key"]]);
        for (const a of more) assert.deepEqual(a, first);
      });
    }
  }
});

test("a refusal is an answer", async (t) => {
  const refusals: Reply[] = [
    problem(401, "unauthenticated"), problem(403, "step_up_required"), problem(409, "refund_exists"), problem(429, "rate_limited", { retry_after: 1 }),
    problem(500, "internal"), problem(503, "core_unavailable", { retry_after: 1 }), problem(503, "maintenance", { retry_after: 1 }),
    { status: 307, headers: { Location: "http://127.0.0.1:1/" } },
  ];
  for (const reply of refusals) {
    for (const { name, call } of calls) {
      const gateway = await scripted(t, reply);
      const error = await refusal(call(gateway.client()));
      assert.ok(error instanceof Problem, name);
      assert.equal(gateway.asked.length, 1, name);
    }
  }
});

test("no attempt after the last, none before Retry-After, none in an hour's time", async (t) => {
  const many = Array<Reply>(9);

  let gateway = await scripted(t, ...many.fill("break"));
  assert.ok((await refusal(gateway.client().profile())) instanceof NoAnswer);
  assert.equal(gateway.asked.length, 4);

  gateway = await scripted(t, ...many.fill(tryAgain));
  assert.ok(refusedWith(await refusal(gateway.client({ attempts: 2 }).profile()), "try_again"));
  assert.equal(gateway.asked.length, 2);

  gateway = await scripted(t, problem(503, "try_again", { retry_after: 1 }), { status: 200, body: {} });
  await gateway.client().profile();
  assert.ok(gateway.asked[1]!.at - gateway.asked[0]!.at >= 950);

  gateway = await scripted(t, { status: 503, headers: { "Retry-After": "3600" } });
  assert.equal(((await refusal(gateway.client().profile())) as Problem).retryAfter, 3600);
});

test("an attempt has its time, and the caller's signal ends the call", async (t) => {
  let gateway = await scripted(t, () => {}, { status: 200, body: {} });
  await gateway.client({ timeout: 100 }).profile();
  assert.equal(gateway.asked.length, 2);

  const reason = new Error("the page was left");
  const control = new AbortController();
  gateway = await scripted(t, () => control.abort(reason));
  assert.equal(await refusal(gateway.client().profile({ signal: control.signal })), reason);

  const inPause = new AbortController();
  gateway = await scripted(t, (response) => {
    response.writeHead(503).end();
    setTimeout(() => inPause.abort(reason), 50);
  });
  assert.equal(await refusal(gateway.client({ pause: 10_000 }).profile({ signal: inPause.signal })), reason);
  assert.equal(await refusal(gateway.client().profile({ signal: AbortSignal.abort(reason) })), reason);
  assert.equal(gateway.asked.length, 1);
});

test("none, after a lost answer, is what was wanted", async (t) => {
  const gone = problem(404, "not_found");
  for (const before of ["break", { status: 504 }] as Reply[]) {
    await (await scripted(t, before, gone)).client().cancel("f-1");
  }
  for (const before of [[], [tryAgain]] as Reply[][]) {
    assert.ok(refusedWith(await refusal((await scripted(t, ...before, gone)).client().cancel("f-1")), "not_found"));
  }
  const over = problem(401, "unauthenticated"); // which is what a session is told that has ended
  await (await scripted(t, "break", over)).client().endSession();
  assert.ok(refusedWith(await refusal((await scripted(t, over)).client().endSession()), "unauthenticated"));
  await (await scripted(t, "break", gone)).client().endAssisted("as-1");
  assert.ok(refusedWith(await refusal((await scripted(t, "break", problem(409, "too_late"))).client().cancel("f-1")), "too_late"));
});

test("a preview keeps its key", async (t) => {
  const replayed: Reply = { status: 201, headers: { "Idempotent-Replay": "true" }, body: { refund_id: "f-1" } };
  const gateway = await scripted(t, "break", problem(409, "idempotency_in_progress"), replayed, preview, preview);
  assert.equal((await gateway.client().preview(ask, { key: "mine" })).replayed, true);
  assert.equal(gateway.asked[2]!.headers["idempotency-key"], "mine");
  for (let i = 0; i < 2; i++) assert.equal((await gateway.client().preview(ask)).replayed, false);
  const [one, other] = gateway.asked.slice(3).map((a) => a.headers["idempotency-key"] as string);
  assert.ok(one!.length > 20 && one !== other);
});

test("a problem says what helps", async (t) => {
  const client = (await scripted(
    t,
    problem(422, "code_wrong", { attempts_left: 2 }),
    problem(400, "malformed_request", { errors: [{ pointer: "/code", code: "type" }] }),
    problem(409, "refund_exists", { links: { refund: "/v1/refunds/f-0" } }),
    problem(429, "resend_too_soon", { retry_after: 41 }),
    { status: 413, headers: { "X-Request-Id": "r-9" }, body: "<html>" },
  )).client();
  const next = async () => (await refusal(client.verify("ch-1", code))) as Problem;

  const wrong = await next();
  assert.ok(wrong instanceof Error && refusedWith(wrong, "locked", "code_wrong") && !refusedWith(wrong, "code_used"));
  assert.deepEqual([wrong.attemptsLeft, wrong.detail, wrong.message], [2, "D", "422 code_wrong (request r-1)"]);
  assert.deepEqual((await next()).faults, [{ pointer: "/code", code: "type" }]);
  assert.equal((await next()).links.refund, "/v1/refunds/f-0");
  assert.equal((await next()).retryAfter, 41);
  const foreign = await next();
  assert.deepEqual([foreign.code, foreign.status, foreign.requestId], ["", 413, "r-9"]);
});

test("an answer that isn't JSON is an error, and not sent again", async (t) => {
  const gateway = await scripted(t, { status: 200, body: "<html>" });
  assert.match(String(await refusal(gateway.client().profile())), /isn't what the contract says/);
});

test("what was given to the client is in no error and in nothing that is printed", async (t) => {
  let said = "";
  for (const reply of ["break", tryAgain, problem(422, "code_wrong"), { status: 502, body: "<html>" }, { status: 201, body: "{" }] as Reply[]) {
    for (const { call, name } of calls) {
      const gateway = await scripted(t, reply);
      const client = gateway.client({ attempts: 1 });
      let error: unknown;
      try {
        await call(client);
      } catch (caught) {
        error = caught;
      }
      assert.equal(gateway.asked[0]!.headers.authorization, `Bearer ${token}`, name);
      said += inspect(error, { depth: 9, showHidden: true }) + String(error) + inspect(client, { depth: 9, showHidden: true }) + JSON.stringify(client) + gateway.asked[0]!.call;
    }
  }
  const torn = new Client({ baseUrl: "http://127.0.0.1:1", token: `${token}\n` });
  said += inspect(await refusal(torn.profile()), { depth: 9 });
  for (const secret of [token, code, ask.account_number, ask.id_number]) assert.ok(!said.includes(secret), secret);
});

test("every request says who is calling, and in which language", async (t) => {
  const gateway = await scripted(t, { status: 200, body: {} }, { status: 200, body: {} }, { status: 200, body: {} });
  await gateway.client().profile();
  const other = gateway.client({ language: "en", token: async () => "another" });
  await other.profile();
  await other.assisted("as-1").profile();
  assert.deepEqual(
    gateway.asked.map((a) => [a.call, a.headers.authorization, a.headers["accept-language"], a.headers["assisted-session"]]),
    [
      ["GET /refunds/v1/profile", `Bearer ${token}`, "ar", undefined],
      ["GET /refunds/v1/profile", "Bearer another", "en", undefined],
      ["GET /refunds/v1/profile", "Bearer another", "en", "as-1"],
    ],
  );
});

test("no token, no request", async (t) => {
  const gateway = await scripted(t);
  const over = new Error("the session is over");
  assert.equal(await refusal(gateway.client({ token: () => Promise.reject(over) }).profile()), over);
  assert.equal(gateway.asked.length, 0);
});

test("an id is one element of the path, whatever it looks like", async (t) => {
  const gateway = await scripted(t, { status: 204 });
  await gateway.client().cancel("a/b?c#d%2e");
  assert.equal(gateway.asked[0]!.call, "DELETE /refunds/v1/refunds/a%2Fb%3Fc%23d%252e");
});

test("a list is read page by page as it is walked, and no further", async (t) => {
  const page = (next: string | null, ...ids: string[]): Reply => ({ status: 200, body: { items: ids.map((request_id) => ({ request_id })), next_cursor: next } });
  let gateway = await scripted(t, page("c1", "a", "b"), page("c2", "c"), page(null, "d"));
  const ids = [];
  for await (const request of gateway.client().requests("090-003")) ids.push(request.request_id);
  assert.deepEqual(ids, ["a", "b", "c", "d"]);
  assert.equal(gateway.asked[1]!.call, "GET /refunds/v1/payments/e-payments/090-003/requests?limit=100&cursor=c1");

  gateway = await scripted(t, page("c1", "a", "b"));
  for await (const _ of gateway.client().requests("090-003")) break;
  assert.equal(gateway.asked.length, 1);

  gateway = await scripted(t, page("c1", "a"), problem(403, "step_up_required"));
  assert.ok(refusedWith(await refusal(read(gateway.client().requests("090-003"))), "step_up_required"));

  gateway = await scripted(t, page("c1", "a"), page("c1", "b"));
  assert.match(String(await refusal(read(gateway.client().requests("090-003")))), /doesn't end/);
});

test("a client needs an address that it can use", () => {
  for (const baseUrl of ["bank.example", "ftp://bank.example", "https://user:password@bank.example", "https://bank.example?a=b"]) {
    assert.throws(() => new Client({ baseUrl, token }), baseUrl);
  }
  for (const bad of [{ attempts: 0 }, { timeout: 0 }, { pause: -1 }]) {
    assert.throws(() => new Client({ baseUrl: "https://bank.example", token, ...bad }));
  }
});
