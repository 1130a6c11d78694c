// What oidc-provider takes for granted and Node 18, which is Debian 12's, doesn't have yet. It is loaded before
// provider.mjs (node --import) and does nothing on a newer Node.
import crypto from "node:crypto";
import { register } from "node:module";

globalThis.crypto ??= crypto.webcrypto;
globalThis.CryptoKey ??= crypto.webcrypto.CryptoKey;
URL.parse ??= (url, base) => (URL.canParse(url, base) ? new URL(url, base) : null);

// The exports of a built-in module can't be added to, so importers are given a module that has one more.
if (!crypto.hash) {
  const source = (js) => `data:text/javascript,${encodeURIComponent(js)}`;
  const withHash = source(`
    import { createHash } from "node:crypto";
    export * from "node:crypto";
    export { default } from "node:crypto";
    export const hash = (algorithm, data, encoding = "hex") => createHash(algorithm).update(data).digest(encoding);`);
  register(source(`
    export const resolve = (specifier, context, next) =>
      specifier === "node:crypto" && context.parentURL !== ${JSON.stringify(withHash)}
        ? { url: ${JSON.stringify(withHash)}, shortCircuit: true }
        : next(specifier, context);`));
}
