// A browser walks through the frontend as the customer p03, against the sandbox: one process that says in one line where it is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { chromium } from "playwright-core";

const { SANDBOX = "sandbox", CHROMIUM = "/usr/bin/chromium" } = process.env;

/** Starts a program that stays up, and returns the first line that it prints. */
async function start(program, args, env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
  after(() => child.kill());
  return (await once(createInterface(child.stdout), "line"))[0];
}

/** The newest code on a phone. */
async function code(urls, mobile) {
  const { items } = await (await fetch(`${urls.control}/phone/messages?to=${encodeURIComponent(mobile)}`)).json();
  return /:(\d{6})\n/.exec(items[0].text)[1];
}

test("استرداد رسم إقامة: من تسجيل الدخول حتى وصول المبلغ", async () => {
  const urls = JSON.parse(await start(SANDBOX, ["-polite", "-free-ports", "-print-json"]));
  const frontend = await start(process.execPath, ["frontend.mjs"], { GATEWAY: urls.gateway, ISSUER: urls.bank });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
  after(() => browser.close());
  const page = await browser.newPage({ locale: "ar-SA" });
  const press = (name) => page.getByRole("button", { name }).click();

  await page.goto(frontend); // 1, and 2 at the bank's issuer
  await page.getByLabel("اسم المستخدم").fill("p03");
  await page.getByLabel("كلمة المرور").fill("istirdad");
  await press("دخول");

  await page.getByLabel("الرمز").waitFor(); // 3, 4
  assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
  await page.getByLabel("الرمز").fill(await code(urls, "+966500000003"));
  await press("تحقّق");

  await page.getByRole("heading", { name: "650.00" }).waitFor(); // 5 to 9, in the digits that the customer types
  await page.getByLabel("رقم الحساب").fill("٥٥٥٦٠٨٠٠٠٠٠٠٠٠٣");
  await page.getByLabel("رقم الهوية").fill("٢٩٠٠٠٠٠٠١٥");
  await press("استمرار");

  await page.getByText("SA12 80** **** **** **** 0003").waitFor(); // 10
  await press("تأكيد"); // 11
  await page.getByRole("status").filter({ hasText: "أُودع" }).waitFor();

  const referee = await (await fetch(`${urls.control}/referee`)).json();
  assert.deepEqual([referee.verdict, referee.confirmed, referee.effects], ["exact", 1, 1]);
});
