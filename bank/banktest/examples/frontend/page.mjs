// How the frontend looks, and what it says of its own. Everything else comes from the gateway, in both languages.
export const safe = (s) => String(s).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
export const form = (action, inputs, button) => `<form method="post" action="${action}">${inputs}<button>${button}</button></form>`;
export const kept = (name, value) => `<input type="hidden" name="${name}" value="${safe(value)}">`;
export const asked = (name, label) => `<label>${label} <input name="${name}" dir="ltr" required></label> `;
/** A number, a masked one too, reads from left to right in either language. */
export const ltr = (s) => `<bdi dir="ltr">${safe(s)}</bdi>`;
/** A page: dir turns everything around for Arabic. */
export const page = (language, title, body) => `<!doctype html><html lang="${language}" dir="${words[language].dir}">
<meta name="viewport" content="width=device-width">
<style>label{display:block}bdi{white-space:nowrap}</style>
<title>${title}</title><h1>${title}</h1>${body}`;

export const words = {
  ar: {
    dir: "rtl", profile: "الملف الشخصي", sent: "الرمز المرسل إلى", check: "تحقّق", payments: "المدفوعات الإلكترونية", account: "رقم الحساب",
    id: "رقم الهوية", riyals: "ريال", to: "إلى", next: "استمرار", sure: "تأكيد الاسترداد", confirm: "تأكيد",
  },
  en: {
    dir: "ltr", profile: "Profile", sent: "The code sent to", check: "Verify", payments: "e-payments", account: "Account number",
    id: "ID number", riyals: "SAR", to: "to", next: "Continue", sure: "Confirm the refund", confirm: "Confirm",
  },
};
