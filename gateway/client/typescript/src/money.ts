import type { Money } from "./types.js";

const riyals = /^(0|[1-9][0-9]*)\.([0-9]{2})$/;

/**
 * The amount in halalas, a hundredth of a riyal each: exact, so that it can be added up.
 *
 *     halalas({ amount: "650.00", currency: "SAR" }) // 65000n
 *
 * @throws RangeError for another currency, and for anything but riyals with exactly two decimals.
 */
export function halalas(money: Money): bigint {
  const digits = riyals.exec(money.amount);
  if (!digits || money.currency !== "SAR") throw new RangeError("not an amount of riyals with two decimals");
  return BigInt(`${digits[1]}${digits[2]}`);
}

/**
 * The amount of so many halalas, as the API writes it.
 *
 *     money(65000n) // { amount: "650.00", currency: "SAR" }
 *
 * @throws RangeError when it is less than nothing.
 */
export function money(halalas: bigint): Money {
  if (halalas < 0n) throw new RangeError("an amount of money is not negative");
  const digits = halalas.toString().padStart(3, "0");
  return { amount: `${digits.slice(0, -2)}.${digits.slice(-2)}`, currency: "SAR" };
}
