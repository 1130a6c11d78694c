// The contract's own types, by the names that people use. contract.ts is generated; this is all of it that is exported.
import type { components } from "./contract.js";

type Schemas = components["schemas"];

/** For people, in both languages. */
export type Text = Schemas["Text"];
/** Riyals with two decimals. `halalas` makes a bigint of it. */
export type Money = Schemas["Money"];
/** A person or thing that a fee is about; its number is masked. */
export type Party = Schemas["Party"];
/** Who the customer is at the bank. */
export type Profile = Schemas["Profile"];
/** One of the customer's own accounts. */
export type Account = Schemas["Account"];
/** A code on its way to the customer's phone. */
export type Challenge = Schemas["Challenge"];
/** That the customer's phone was in somebody's hand. */
export type Proof = Schemas["Verified"];
/** The bank's menu of payments, in its own words and order. */
export type Menu = Schemas["Menu"];
/** Something that the bank tells everybody for a while. */
export type Notice = Schemas["Notice"];
/** An entry of the payments menu. */
export type Payment = Schemas["MenuEntry"];
/** A service that the customer has requests of. */
export type Service = Schemas["Service"];
/** A paid request, and whether it can come back. */
export type Request = Schemas["Request"];
/** Something to know although nothing stands in the way. */
export type Warning = Schemas["Warning"];
/** What the customer enters to get a request's money back. */
export type Ask = Schemas["PreviewInputBody"];
/** What would be given back, and where to. It lives for five minutes. */
export type Preview = Schemas["Preview"];
/** That a refund is recorded: from here on it can't be lost. */
export type Confirmation = Schemas["Receipt"];
/** A refund, with its timeline. */
export type Refund = Schemas["Refund"];
/** A refund as lists show it. */
export type RefundItem = Schemas["RefundItem"];
/** An entry of a refund's timeline. */
export type Step = Schemas["Step"];
/** How far a refund is, as customers are told. */
export type Status = Refund["status"];
/** What is left unused under a number. */
export type Balance = Schemas["Balance"];
/** One of the six sums that a balance is divided into. */
export type Bucket = Schemas["Bucket"];

/** What a teller enters of the customer before them. */
export type Attendance = Schemas["AssistInputBody"];
/** A customer at the counter: fifteen minutes without a call, thirty in all. */
export type AssistedSession = Schemas["AssistedSession"];
/** Whether one paid request can come back, told before the customer has proved that they are there. */
export type Outlook = Schemas["Outlook"];

/** A refund that awaits a second person's approval. */
export type Approval = Schemas["Approval"];
/** How often an employee looked at customers on a day, at one branch. */
export type Looks = Schemas["Looks"];
/** A word that a refund carries, and what an approver reads of it. */
export type Mark = Schemas["Mark"];

/** Why the gateway refused. A newer gateway may have more of them. */
export type Code = Schemas["Problem"]["code"];
/** What is wrong with a request, and where. */
export type Fault = Schemas["Fault"];
/** Ways out of a refusal. */
export type Links = Schemas["Links"];

/** A part of a list. `next_cursor` is null after the last. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
