import assert from "node:assert/strict";
import test from "node:test";

import { halalas, money, type Money } from "@istirdad/client";

test("amounts are exact", () => {
  for (const [amount, want] of [["0.00", 0n], ["0.05", 5n], ["650.00", 65000n], ["92233720368547758.07", 2n ** 63n - 1n]] as const) {
    assert.equal(halalas({ amount, currency: "SAR" }), want);
    assert.deepEqual(money(want), { amount, currency: "SAR" });
  }
});

test("what isn't an amount is refused", () => {
  for (const amount of ["650", "650.0", "-1.00", "1e3.00", "007.00", "", "1,000.00", "٦.٥٠", " 1.00"]) {
    assert.throws(() => halalas({ amount, currency: "SAR" }), RangeError, amount);
  }
  assert.throws(() => halalas({ amount: "1.00", currency: "USD" } as unknown as Money), RangeError);
  assert.throws(() => money(-1n), RangeError);
});
