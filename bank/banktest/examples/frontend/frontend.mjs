// A bank's frontend, in the browser's language, Arabic or English. GATEWAY and ISSUER say where those are; it prints where it is.
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Client } from "@istirdad/client";
import { asked, form, kept, ltr, page, safe, words } from "./page.mjs";

const { GATEWAY, ISSUER, PORT = "0" } = process.env;

const routes = { // each answers with a page, or with where to go
  "GET /": ({ redirect_uri }) => { // 1, 2  to the bank's issuer and back, with PKCE
    const verifier = randomBytes(32).toString("base64url"), code_challenge = createHash("sha256").update(verifier).digest("base64url");
    const request = { response_type: "code", client_id: "frontend", redirect_uri, code_challenge, code_challenge_method: "S256" };
    return { to: `${ISSUER}/authorize?${new URLSearchParams(request)}`, keep: `verifier=${verifier}` };
  },
  "GET /signed-in": async ({ sent: { code }, redirect_uri, cookie }) => {
    const grant = { grant_type: "authorization_code", code, redirect_uri, client_id: "frontend", code_verifier: cookie("verifier") };
    const answer = await fetch(`${ISSUER}/token`, { method: "POST", body: new URLSearchParams(grant) });
    return { to: "/payments", keep: `token=${(await answer.json()).access_token}` };
  },
  "GET /code": async ({ client, say }) => { // 3  whoever needs a code is sent here
    const { challenge_id, sent_to } = await client.challenge(), label = `${say.sent} ${ltr(sent_to)}`;
    return { title: say.profile, body: form("/code", kept("challenge_id", challenge_id) + asked("code", label), say.check) };
  },
  "POST /code": ({ client, sent }) => client.verify(sent.challenge_id, sent.code).then(() => ({ to: "/payments" })), // 4
  "GET /payments": async ({ client, say, language }) => { // 5 to 9
    let body = "", typed = asked("account_number", say.account) + asked("id_number", say.id);
    for (const { service } of await client.services()) for await (const r of client.requests(service)) {
      body += `<h2>${safe(r.name[language])} ${ltr(r.amount.amount)} ${say.riyals}</h2>`;
      body += r.refundable ? form("/preview", kept("request_id", r.request_id) + typed, say.next) : safe(r.reason_text[language]);
    }
    return { title: say.payments, body };
  },
  "POST /preview": async ({ client, sent, say, language }) => { // 10
    const p = await client.preview(sent), confirm = form("/confirm", kept("refund_id", p.refund_id), say.confirm);
    const what = `${safe(p.name[language])}: ${p.amount.amount} ${say.riyals} ${say.to} ${ltr(p.to_account)}`;
    return { title: say.sure, body: what + confirm };
  },
  "POST /confirm": ({ client, sent }) => client.confirm(sent.refund_id).then((r) => ({ to: `/refund?id=${r.refund_id}` })), // 11
  "GET /refund": async ({ client, sent, language }) => {
    const r = await client.refund(sent.id), last = safe(r.timeline.at(-1).text[language]);
    return { title: r.reference, body: `<meta http-equiv="refresh" content="1"><p role="status">${last}</p>` };
  },
};

createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`), redirect_uri = new URL("/signed-in", url).href;
  const cookie = (name) => new RegExp(`${name}=([^;]+)`).exec(request.headers.cookie)?.[1] ?? "none";
  const sent = Object.fromEntries(new URLSearchParams((await text(request)) || url.search));
  const language = /^en/.test(request.headers["accept-language"]) ? "en" : "ar", say = words[language];
  const client = new Client({ baseUrl: GATEWAY, token: cookie("token"), language });
  const route = routes[`${request.method} ${url.pathname}`] ?? (() => ({ to: "/payments" }));
  const call = { client, sent, redirect_uri, cookie, say, language };
  const { to, title, body, keep = "seen=1" } = await Promise.resolve(call).then(route).catch((problem) =>
    ({ to: { unauthenticated: "/", step_up_required: "/code" }[problem.code], title: safe(problem.title), body: safe(problem.detail) }));
  const headers = { "Content-Type": "text/html; charset=utf-8", "Set-Cookie": `${keep}; HttpOnly; SameSite=Lax` };
  response.writeHead(to ? 303 : 200, to ? { ...headers, Location: to } : headers).end(to ? "" : page(language, title, body));
}).listen(Number(PORT), "127.0.0.1", function () { console.log(`http://127.0.0.1:${this.address().port}`); });
