import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import test from "node:test";

import { BadAnswer, NoAnswer, refusedWith, type Client, type Preview, type Refund } from "@istirdad/client";
import { follow } from "../dist/events.js";
import { problem, refusal, scripted, type Reply } from "./scripted.js";

const soon = "retry: 20\n\n";
const ping = "event: ping\ndata: {}\n\n";
const told = (id: number, status: string) => `event: refund\nid: ${id}\ndata: {"refund_id":"f-1","status":"${status}"}\n\n`;

/** A stream that says something and then ends, breaks off or stays open. */
function stream(said: string, end: "end" | "break" | "hang" = "end"): Reply {
  return (response: ServerResponse) => {
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    // In two pieces, cut in the middle of whatever is there.
    response.write(said.slice(0, said.length / 2), () => {
      response.write(said.slice(said.length / 2), () => {
        if (end === "end") response.end();
        if (end === "break") response.socket!.destroy();
      });
    });
  };
}

async function statuses(events: AsyncIterable<Refund | Preview>): Promise<string[]> {
  const all = [];
  for await (const now of events) all.push(now.status);
  return all;
}

const follows = (client: Client) => statuses(client.events("f-1"));

test("a refund is followed to its end, over one stream after another", async (t) => {
  const tests: { name: string; replies: Reply[]; want: string[]; ids: (string | undefined)[] }[] = [
    { name: "to the end", replies: [stream(soon + told(0, "preview") + ping + told(1, "processing") + told(4, "completed"), "hang")],
      want: ["preview", "processing", "completed"], ids: [undefined] },
    { name: "the stream's time is up", replies: [stream(soon + told(1, "processing")), stream(told(2, "completed"))],
      want: ["processing", "completed"], ids: [undefined, "1"] },
    { name: "it breaks off in an event", replies: [stream(soon + told(1, "processing") + told(2, "completed").slice(0, 40), "break"), stream(told(2, "rejected"))],
      want: ["processing", "rejected"], ids: [undefined, "1"] },
    { name: "a gateway restarts", replies: [stream(soon + told(1, "processing"), "break"), "break", { status: 502 }, problem(503, "try_again"), stream(told(2, "visit_branch"))],
      want: ["processing", "visit_branch"], ids: [undefined, "1", "1", "1", "1"] },
    { name: "another spelling", replies: [stream(': hello\r\nid:7\r\nevent:refund\r\ndata:{"status":\r\ndata:"cancelled"}\r\nnew: x\r\n\r\n')],
      want: ["cancelled"], ids: [undefined] },
  ];
  for (const { name, replies, want, ids } of tests) {
    await t.test(name, async (t) => {
      const gateway = await scripted(t, ...replies);
      assert.deepEqual(await follows(gateway.client()), want);
      assert.deepEqual(gateway.asked.map((a) => a.headers["last-event-id"]), ids);
      for (const a of gateway.asked) assert.deepEqual([a.call, a.headers.accept], ["GET /refunds/v1/refunds/f-1/events", "text/event-stream"]);
    });
  }
});

test("a refusal ends it", async (t) => {
  const refusals = [problem(404, "not_found"), problem(429, "rate_limited", { retry_after: 5 })];
  for (const [i, code] of (["not_found", "rate_limited"] as const).entries()) {
    const gateway = await scripted(t, refusals[i]!);
    assert.ok(refusedWith(await refusal(follows(gateway.client())), code));
  }
  const gateway = await scripted(t, stream(soon + told(1, "processing")), problem(401, "unauthenticated"));
  assert.ok(refusedWith(await refusal(follows(gateway.client())), "unauthenticated"));
});

test("what isn't the contract's ends it", async (t) => {
  const wrong: Reply[] = [
    stream("event: refund\nid: 1\ndata: <html>\n\n"), stream("event: refund\ndata: null\n\n"), stream(`data: ${"x".repeat(2 << 20)}`),
    { status: 200, body: { status: "completed" } }, { status: 204 },
  ];
  for (const reply of wrong) {
    const gateway = await scripted(t, reply);
    assert.ok((await refusal(follows(gateway.client()))) instanceof BadAnswer);
    assert.equal(gateway.asked.length, 1);
  }
});

test("whoever leaves the loop, or whose signal ends it, leaves nothing open", async (t) => {
  const closed: Promise<void>[] = [];
  const open: Reply = (response) => {
    closed.push(new Promise((resolve) => response.on("close", resolve)));
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(told(1, "processing"));
  };
  const gateway = await scripted(t, open, open, "break");
  for await (const _ of gateway.client().events("f-1")) break;
  await closed[0];

  const reason = new Error("the page was left");
  const inStream = new AbortController();
  assert.equal(await refusal((async () => {
    for await (const _ of gateway.client().events("f-1", { signal: inStream.signal })) setTimeout(() => inStream.abort(reason), 10);
  })()), reason);
  await closed[1];

  const inPause = new AbortController();
  setTimeout(() => inPause.abort(reason), 100);
  assert.equal(await refusal(statuses(gateway.client().events("f-1", { signal: inPause.signal }))), reason);
  assert.equal(await refusal(statuses(gateway.client().events("f-1", { signal: AbortSignal.abort(reason) }))), reason);
});

test("a stream that falls silent is given up, and so is a gateway that stays away", async (t) => {
  const gateway = await scripted(t, stream(soon + told(1, "processing"), "hang"), stream(soon + told(2, "completed")), ...Array<Reply>(99).fill("break"));
  const open = async (last: string | undefined, signal: AbortSignal) => {
    const response = await fetch(`${gateway.url}/`, { signal, headers: last === undefined ? {} : { "Last-Event-ID": last } });
    return { data: response.body, response };
  };
  const patience = { timeout: 10_000, pause: 1, silence: 1000, away: 60_000 };
  assert.deepEqual(await statuses(follow(open, patience, undefined)), ["processing", "completed"]);
  assert.equal(gateway.asked[1]!.headers["last-event-id"], "1");
  assert.ok((await refusal(statuses(follow(open, { ...patience, away: 0 }, undefined)))) instanceof NoAnswer);
  assert.equal(gateway.asked.length, 3);
});
