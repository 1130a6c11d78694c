import assert from "node:assert/strict";
import test from "node:test";

import { halalas, Problem, refusedWith, type Client, type Request } from "@istirdad/client";
import { sandbox } from "./sandbox.js";
import { refusal } from "./scripted.js";

const world = sandbox();

async function prove(client: Client, code: () => Promise<string>): Promise<void> {
  const challenge = await client.challenge();
  assert.equal((await client.verify(challenge.challenge_id, await code())).verified, true);
}

test("the whole way, from a profile that asks for a code to the money", async () => {
  const { client, person, code } = await world.signIn("p03");
  const first = await refusal(client.profile());
  assert.ok(refusedWith(first, "step_up_required") && first.title === "A code is required" && first.requestId !== "");

  const challenge = await client.challenge();
  assert.ok(refusedWith(await refusal(client.resend(challenge.challenge_id)), "resend_too_soon"));
  const right = await code();
  const wrong = await refusal(client.verify(challenge.challenge_id, String((Number(right) + 1) % 1_000_000).padStart(6, "0")));
  assert.ok(refusedWith(wrong, "code_wrong") && wrong.attemptsLeft === 2);
  const malformed = await refusal(client.verify(challenge.challenge_id, "no code"));
  assert.ok(refusedWith(malformed, "malformed_request") && malformed.faults.length === 1);
  const proof = await client.verify(challenge.challenge_id, right);
  assert.ok(Date.parse(proof.proof_expires_at) > Date.now());

  assert.equal((await client.profile()).id.kind, "iqama");
  assert.equal((await client.payments()).items[0]?.id, "e-payments");
  const [service] = await client.services();
  assert.equal(halalas(service!.refundable_total), 65000n);
  let found: Request | undefined;
  for await (const request of client.requests(service!.service)) found = request;
  assert.ok(found?.refundable && found.paid_from && found.reason === null);

  const ask = { request_id: found.request_id, account_number: found.paid_from.account_id, id_number: person.id_number };
  const preview = await client.preview(ask);
  assert.deepEqual([preview.status, preview.confirm_requires, preview.replayed], ["preview", "none", false]);
  assert.ok(refusedWith(await refusal(client.receipt(preview.refund_id)), "not_found"));

  const events = client.events(preview.refund_id);
  assert.equal((await events.next()).value?.status, "preview");
  const accepted = await client.confirm(preview.refund_id);
  assert.equal(accepted.replayed, false);
  const repeated = await client.confirm(preview.refund_id);
  assert.deepEqual([repeated.replayed, repeated.reference], [true, accepted.reference]);
  const exists = await refusal(client.preview(ask));
  assert.ok(exists instanceof Problem && exists.code === "refund_exists" && exists.links.refund === `/v1/refunds/${preview.refund_id}`);

  const statuses = [];
  for await (const now of events) statuses.push(now.status);
  assert.equal(statuses.at(-1), "completed");
  assert.equal((await client.refund(preview.refund_id)).status, "completed");
  assert.ok((await client.receipt(preview.refund_id)).includes(accepted.reference));
  for await (const refund of client.refunds()) assert.equal(refund.reference, accepted.reference);
  assert.equal((await client.findRefund(accepted.reference))?.refund_id, preview.refund_id);
  assert.equal(await client.findRefund("RF0000000000000000"), undefined);
  assert.ok(refusedWith(await refusal(client.cancel(preview.refund_id)), "too_late"));
});

test("above 1,000.00 a confirm takes a code of its own", async () => {
  const { client, person, code } = await world.signIn("p06");
  await prove(client, code);
  const preview = await client.preview({ request_id: "rq-p05-1", account_number: person.accounts[0]!.account_number, id_number: person.id_number });
  assert.equal(preview.confirm_requires, "code");
  assert.ok(refusedWith(await refusal(client.confirm(preview.refund_id)), "step_up_required"));
  const challenge = await client.challengeRefund(preview.refund_id);
  const entered = { challenge_id: challenge.challenge_id, code: await code() };
  assert.equal((await client.confirm(preview.refund_id, entered)).replayed, false);
  assert.equal((await client.confirm(preview.refund_id, entered)).replayed, true);
});

test("a preview can be withdrawn, and then there is none", async () => {
  const { client, person, code } = await world.signIn("p01");
  await prove(client, code);
  const preview = await client.preview({ request_id: "rq-p01-1", account_number: person.accounts[0]!.account_number, id_number: person.id_number });
  await client.cancel(preview.refund_id);
  assert.ok(refusedWith(await refusal(client.refund(preview.refund_id)), "not_found"));
});

test("the bank's systems fail now and then, and the path goes on all the same", async () => {
  const { client, code } = await world.signIn("p04");
  await prove(client, code);
  const impatient = (await world.signIn("p04", { attempts: 1 })).client;
  await world.control("PUT", "/faults", [{ kind: "unavailable", match: { call: "customer" } }]);
  assert.ok(refusedWith(await refusal(impatient.challenge()), "try_again"));
  const late = client.profile();
  await world.control("DELETE", "/faults");
  assert.equal((await late).id.kind, "iqama");
});

test("a balance is six buckets and their sum", async () => {
  const { client, person, code } = await world.signIn("p08");
  assert.ok(refusedWith(await refusal(client.balanceInquiry(person.id_number)), "step_up_required"));
  await prove(client, code);
  const balance = await client.balanceInquiry(person.id_number);
  assert.equal(balance.buckets.length, 6);
  assert.equal(balance.buckets.reduce((sum, b) => sum + halalas(b.amount), 0n), halalas(balance.total));
});

test("under another's number there is what one paid for it", async () => {
  const { client, code } = await world.signIn("p13");
  await prove(client, code);
  const { id, total } = await client.balanceInquiry("٢٩٠٠٠٠٠٠٩٨");
  assert.deepEqual([id.kind, total.amount], ["iqama", "6000.00"]);
});

test("after the end of a session its token is nobody's", async () => {
  const { client } = await world.signIn("p07");
  await client.endSession();
  assert.ok(refusedWith(await refusal(client.profile()), "unauthenticated"));
});

test("a teller walks the path with a customer", async () => {
  const teller = (await world.signIn("t02")).client;
  const { person, code } = await world.signIn("p14");
  const begun = await teller.assist({ id_number: person.id_number, document_seen: true });
  assert.ok(begun.challenge && begun.overview.length > 0);
  const client = teller.assisted(begun.assisted_session_id);
  assert.ok(refusedWith(await refusal(client.profile()), "step_up_required"));
  await teller.verifyAssisted(begun.assisted_session_id, await code());
  const account_number = (await client.profile()).accounts[0]!.account_id;
  const preview = await client.preview({ request_id: "rq-p14-1", account_number, id_number: person.id_number });
  assert.equal((await client.confirm(preview.refund_id)).status, "processing");
  await teller.endAssisted(begun.assisted_session_id);
  assert.ok(refusedWith(await refusal(client.profile()), "not_found"));
});

test("a second person approves what a teller asked for", async () => {
  const teller = (await world.signIn("t02")).client;
  const { person } = await world.signIn("p12");
  const approver = (await world.signIn("a01")).client;
  const identity_check = { method: "passport", note: "compared" };
  const begun = await teller.assist({ id_number: person.id_number, document_seen: true, identity_check });
  const client = teller.assisted(begun.assisted_session_id);
  const account_number = person.accounts[0]!.account_number;
  const asks = async () => {
    const { refund_id } = await client.preview({ request_id: "rq-p12-1", account_number, id_number: person.id_number });
    assert.equal((await client.confirm(refund_id)).state, "awaiting_approval");
    for await (const approval of approver.approvals()) if (approval.refund_id === refund_id) return approval;
    throw new Error("it awaits nothing");
  };
  assert.equal((await approver.reject((await asks()).refund_id, "no")).status, "cancelled");
  const { refund_id, note, digest, reasons } = await asks();
  assert.deepEqual([note, reasons.map((r) => r.code)], ["compared", ["identity_check"]]);
  assert.ok(refusedWith(await refusal(approver.approve(refund_id, "fine", "0")), "not_possible"));
  assert.equal((await approver.approve(refund_id, "fine", digest)).status, "processing");
  assert.ok(refusedWith(await refusal(approver.approve(refund_id, "fine", digest)), "already_decided"));
  assert.ok(refusedWith(await refusal(teller.approvalPage()), "forbidden"));
  await approver.unblock(person.id_number, "came by");
  const looked = [];
  for await (const { employee, limit } of approver.lookups()) looked.push(`${employee} of ${limit}`);
  assert.ok(looked.includes("E200 of 50"));
});
