// Walks paths A, B and C on the portal's pages as a person does: in Chromium, on a screen as wide as a phone's, in Arabic and in
// English, with scripts switched off and nothing but what can be seen: links, fields and buttons by their names.
//
//   node portal.mjs http://127.0.0.1:8081 http://127.0.0.1:8083 [FOLDER]
//
// are core and control of a sandbox, which is put back to its seed. In FOLDER a picture of every page is left.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

// What drives a browser is where .ci/setup brings it, once for the repository.
const require = createRequire(new URL("../../../bank/banktest/examples/frontend/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [core, control, folder] = process.argv.slice(2);
const { CHROMIUM = "/usr/bin/chromium" } = process.env;
const width = 390;

const arabic = {
  language: "ar", direction: "rtl",
  individuals: "الأفراد", user: "اسم المستخدم", password: "كلمة المرور", signIn: "دخول", signOut: "تسجيل الخروج",
  inquiries: "الاستعلامات الإلكترونية", byIqama: "الاستعلام عن رصيد المدفوعات", iqama: "رقم الإقامة", show: "عرض", total: "إجمالي الرصيد المتاح",
  remaining: "رصيد مدفوعات الخدمات المتبقي", id: "رقم الهوية", code: "الرمز المرئي", wrong: "الرمز المرئي غير صحيح", hear: "استمع إلى الأرقام",
  general: "الاستعلام العام عن رصيد مدفوعات الخدمات المتبقي", refund: "استرداد رصيد مدفوعات الخدمات المتبقي", fee: "تجديد إقامة (سنة)",
  next: "استمرار", check: "تأكد من البيانات", confirm: "تأكيد", done: "تمت عملية الاسترداد بنجاح",
};
const english = {
  language: "en", direction: "ltr",
  individuals: "Individuals", user: "User name", password: "Password", signIn: "Sign in", signOut: "Sign out",
  inquiries: "Electronic inquiries", byIqama: "Payments-balance inquiry", iqama: "Iqama number", show: "Show", total: "Total Available Funds",
  remaining: "Remaining service-payments balance", id: "ID number", code: "Picture code", wrong: "The picture code is not right",
  hear: "Hear the digits", general: "General inquiry on the remaining balance", refund: "Refund of remaining service payments",
  fee: "Renew Iqama, 12 months", next: "Continue", check: "Check the data", confirm: "Confirm", done: "The refund succeeded",
};

let pictures = 0;
async function walk(browser, words) {
  assert.equal((await fetch(`${control}/reset`, { method: "POST" })).status, 204);
  const context = await browser.newContext({ viewport: { width, height: 844 }, javaScriptEnabled: false });
  const page = await context.newPage();
  page.on("requestfailed", (r) => assert.fail(`${new URL(r.url()).pathname}: ${r.failure()?.errorText}`));
  const follow = (name) => page.getByRole("link", { name }).click();
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  // see waits for a text, and looks whether the page fits the screen.
  const see = async (text, name) => {
    await page.getByText(text).first().waitFor();
    const html = page.locator("html");
    assert.equal(await html.getAttribute("dir"), words.direction);
    const wide = await html.evaluate((e) => e.scrollWidth);
    assert.ok(wide <= width, `${name} is ${wide} wide`);
    if (folder) await page.screenshot({ path: `${folder}/${String(++pictures).padStart(2, "0")}-${words.language}-${name}.png`, fullPage: true });
  };
  const signIn = async (user) => {
    await see(words.user, "sign-in");
    await page.getByLabel(words.user).fill(user);
    await page.getByLabel(words.password).fill("istirdad");
    await press(words.signIn);
  };

  await page.goto(core);
  if (words === english) await press("English");
  await see(words.individuals, "home");

  // A
  await follow(words.individuals);
  await signIn("p09");
  await see(words.inquiries, "individuals");
  await follow(words.inquiries);
  await see(words.byIqama, "inquiries");
  await follow(words.byIqama);
  await see(words.iqama, "by-iqama");
  await page.getByLabel(words.iqama).fill("2900000072");
  await press(words.show);
  await see(words.total, "balance");
  await see("1,150.00", "balance");
  await press(words.signOut);

  // B: first without having looked at the picture, then as one who heard it.
  await follow(words.remaining);
  await see(words.remaining, "remaining");
  await follow(words.individuals);
  await signIn("p01");
  await page.getByLabel(words.id).fill("1900000017");
  await page.getByLabel(words.code).fill("0");
  await press(words.show);
  await see(words.wrong, "wrong");
  assert.equal(await page.getByRole("img").evaluate((e) => e.naturalWidth), 300);
  await page.getByText(words.hear).click();
  await see(words.hear, "hear");
  const sound = await context.request.get(core + (await page.locator("audio").getAttribute("src")));
  assert.equal(sound.headers()["content-type"], "audio/wav");
  const id = await page.locator("[name=captcha_id]").inputValue();
  const { captcha } = await (await fetch(`${control}/portal/captcha?id=${id}`)).json();
  await page.getByLabel(words.code).fill(captcha);
  await press(words.show);
  await see("600.00", "balance-by-number");
  await press(words.signOut);

  // C
  await follow(words.individuals);
  await signIn("p09");
  await follow(words.general);
  await see(words.total, "general");
  await follow(words.refund);
  await page.getByLabel(words.fee).check();
  await see(words.fee, "refunds");
  await press(words.next);
  await see(words.check, "check");
  await press(words.confirm);
  await see(words.done, "success");
  await follow(words.general);
  await see("500.00", "general-after");
  await follow(words.refund);
  await see(words.fee, "refunds-after");
  assert.ok(await page.getByLabel(words.fee).isDisabled());
  await page.goto(`${core}/portal/nowhere`);
  await see(words.user === "User name" ? "Not found" : "غير موجود", "nowhere");
  await context.close();
  console.log(`${words.language}: A B C`);
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
try {
  await walk(browser, arabic);
  await walk(browser, english);
} finally {
  await browser.close();
}
