// A bank's frontend in one file, Arabic and right to left. GATEWAY and ISSUER say where those are; it prints where it is.
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Client } from "@istirdad/client";

const { GATEWAY, ISSUER, PORT = "0" } = process.env;
const safe = (s) => String(s).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (title, body) => ({ html: `<!doctype html><html lang="ar" dir="rtl"><title>${title}</title><h1>${title}</h1>${body}` });
const form = (action, inputs, button) => `<form method="post" action="${action}">${inputs}<button>${button}</button></form>`;
const kept = (name, value) => `<input type="hidden" name="${name}" value="${safe(value)}">`;
const asked = (name, label) => `<label>${label} <input name="${name}" dir="ltr" required></label> `;

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
  "GET /code": async ({ client }) => { // 3  whoever needs a code is sent here
    const { challenge_id, sent_to } = await client.challenge(), label = `الرمز المرسل إلى <bdi>${safe(sent_to)}</bdi>`;
    return page("الملف الشخصي", form("/code", kept("challenge_id", challenge_id) + asked("code", label), "تحقّق"));
  },
  "POST /code": ({ client, sent }) => client.verify(sent.challenge_id, sent.code).then(() => ({ to: "/payments" })), // 4
  "GET /payments": async ({ client }) => { // 5 to 9
    let body = "", typed = asked("account_number", "رقم الحساب") + asked("id_number", "رقم الهوية");
    for (const { service } of await client.services()) for await (const r of client.requests(service)) {
      body += `<h2>${safe(r.name.ar)} <bdi>${r.amount.amount}</bdi> ريال</h2>`;
      body += r.refundable ? form("/preview", kept("request_id", r.request_id) + typed, "استمرار") : safe(r.reason_text.ar);
    }
    return page("المدفوعات الإلكترونية", body);
  },
  "POST /preview": async ({ client, sent }) => { // 10
    const p = await client.preview(sent), confirm = form("/confirm", kept("refund_id", p.refund_id), "تأكيد");
    return page("تأكيد الاسترداد", `${safe(p.name.ar)}: ${p.amount.amount} ريال إلى <bdi>${safe(p.to_account)}</bdi>${confirm}`);
  },
  "POST /confirm": ({ client, sent }) => client.confirm(sent.refund_id).then((r) => ({ to: `/refund?id=${r.refund_id}` })), // 11
  "GET /refund": async ({ client, sent }) => {
    const r = await client.refund(sent.id), last = safe(r.timeline.at(-1).text.ar);
    return page(r.reference, `<meta http-equiv="refresh" content="1"><p role="status">${last}</p>`);
  },
};

createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`), redirect_uri = new URL("/signed-in", url).href;
  const cookie = (name) => new RegExp(`${name}=([^;]+)`).exec(request.headers.cookie)?.[1] ?? "none";
  const sent = Object.fromEntries(new URLSearchParams((await text(request)) || url.search));
  const client = new Client({ baseUrl: GATEWAY, token: cookie("token") });
  const route = routes[`${request.method} ${url.pathname}`] ?? (() => ({ to: "/payments" }));
  const { to, html, keep = "seen=1" } = await Promise.resolve({ client, sent, redirect_uri, cookie }).then(route).catch((problem) =>
    ({ to: { unauthenticated: "/", step_up_required: "/code" }[problem.code], ...page(safe(problem.title), safe(problem.detail)) }));
  const headers = { "Content-Type": "text/html; charset=utf-8", "Set-Cookie": `${keep}; HttpOnly; SameSite=Lax` };
  response.writeHead(to ? 303 : 200, to ? { ...headers, Location: to } : headers).end(to ? "" : html);
}).listen(Number(PORT), "127.0.0.1", function () { console.log(`http://127.0.0.1:${this.address().port}`); });
