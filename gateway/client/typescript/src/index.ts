export { Client, type Call, type Options, type Paged } from "./client.js";
export { halalas, money } from "./money.js";
export { BadAnswer, NoAnswer, Problem, refusedWith } from "./problem.js";
export type * from "./types.js";
