// The whole world on this machine: cmd/sandbox, built and started on free ports, once per file of tests.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Client, type Options } from "@istirdad/client";

const top = fileURLToPath(new URL("../../../../", import.meta.url)); // of the repository, from where this is compiled to

interface URLs {
  gateway: string;
  bank: string;
  control: string;
}

export interface Person {
  user: string;
  id_number: string;
  mobile: string;
  accounts: { account_number: string }[];
}

/** Starts a sandbox before a file's tests, and stops it after them. */
export function sandbox(): Sandbox {
  const world = new Sandbox();
  before(() => world.start());
  after(() => world.stop());
  return world;
}

export class Sandbox {
  #folder = "";
  #process: ChildProcess | undefined;
  urls: URLs = { gateway: "", bank: "", control: "" };

  async start(): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), "istirdad-client-"));
    const program = join(this.#folder, "sandbox");
    execFileSync("go", ["build", "-o", program, "./cmd/sandbox"], { cwd: top, stdio: ["ignore", "inherit", "inherit"] });
    this.#process = spawn(program, ["-polite", "-free-ports", "-print-json"], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    this.#process.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    for await (const line of createInterface(this.#process.stdout!)) {
      this.urls = JSON.parse(line) as URLs;
      return;
    }
    throw new Error(`the sandbox doesn't start:\n${said}`);
  }

  async stop(): Promise<void> {
    if (this.#process !== undefined && this.#process.exitCode === null) {
      const exited = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Signs a person in: one session, and the client that is theirs. */
  async signIn(user: string, options: Partial<Options> = {}): Promise<{ client: Client; person: Person; code(): Promise<string> }> {
    const form = new URLSearchParams({ grant_type: "password", username: user, password: "istirdad" });
    const granted = await json<{ access_token: string }>(`${this.urls.bank}/token`, { method: "POST", body: form });
    const { items } = await json<{ items: Person[] }>(`${this.urls.control}/people`);
    const person = items.find((p) => p.user === user)!;
    const client = new Client({ baseUrl: this.urls.gateway, token: granted.access_token, language: "en", ...options });
    return { client, person, code: () => this.code(person.mobile) };
  }

  /** The code in the newest SMS on a phone. */
  async code(mobile: string): Promise<string> {
    const { items } = await json<{ items: { text: string }[] }>(`${this.urls.control}/phone/messages?to=${encodeURIComponent(mobile)}`);
    return /:(\d{6})\n/.exec(items[0]!.text)![1]!;
  }

  async control(method: string, path: string, body?: unknown): Promise<unknown> {
    return json(this.urls.control + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }
}

async function json<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}
