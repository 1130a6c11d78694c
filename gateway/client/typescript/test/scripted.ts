// A gateway that answers what a test says, in turn, and keeps what it was asked.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { Client, type Options } from "@istirdad/client";

export const token = "eyJ.secret-token.sig";

/** An answer, the connection's breaking, or whatever a test does with the response. */
export type Reply = { status: number; headers?: Record<string, string>; body?: unknown } | "break" | ((response: ServerResponse) => void);

export interface Asked {
  at: number;
  call: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export async function scripted(t: TestContext, ...replies: Reply[]): Promise<{ asked: Asked[]; url: string; client(options?: Partial<Options>): Client }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ at: performance.now(), call: `${request.method} ${request.url}`, headers: request.headers, body });
    const reply = replies.shift();
    if (reply === "break" || reply === undefined) {
      request.socket.destroy();
    } else if (typeof reply === "function") {
      reply(response);
    } else {
      response.writeHead(reply.status, { "Content-Type": "application/json", ...reply.headers });
      response.end(typeof reply.body === "string" ? reply.body : reply.body === undefined ? "" : JSON.stringify(reply.body));
    }
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, url, client: (options = {}) => new Client({ baseUrl: `${url}/refunds`, token, pause: 1, ...options }) };
}

/** A refusal of the gateway's. */
export function problem(status: number, code: string, more: Record<string, unknown> = {}): Reply {
  return {
    status,
    headers: { "Content-Type": "application/problem+json" },
    body: { type: `urn:istirdad:problem:${code}`, title: "T", status, detail: "D", instance: "/", code, request_id: "r-1", ...more },
  };
}

export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}
