// Lints one OpenAPI document with the rules of redocly.yaml beside this file:
//
//	node lint.mjs gateway/api/openapi.yaml
//
// A warning fails like an error: a warning that may stay is a rule that belongs
// in redocly.yaml, switched off, with its reason.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatProblems, getTotals, lint, loadConfig } from "@redocly/openapi-core";

const [contract] = process.argv.slice(2);
if (!contract || !existsSync(contract)) {
  console.error(`openapi: no contract at ${contract ?? "(no file named)"}; \`make openapi\` writes it`);
  process.exit(1);
}

const config = await loadConfig({ configPath: fileURLToPath(new URL("redocly.yaml", import.meta.url)) });
const problems = await lint({ ref: contract, config });
const totals = getTotals(problems);
formatProblems(problems, { format: "codeframe", totals, version: "" });

console.log(`openapi: ${contract}: ${totals.errors} errors, ${totals.warnings} warnings`);
process.exit(totals.errors + totals.warnings > 0 ? 1 : 0);
