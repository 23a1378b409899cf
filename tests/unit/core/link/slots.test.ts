import fc from "fast-check";
import { expect, test } from "vitest";
import { Slots } from "../../../../src/core/link/slots.ts";

test("holds the members that were added and not taken out, as a Set does", () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant("add" as const) }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant("delete" as const), at: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("clear" as const) }) },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const slots = new Slots<object>();
      const added = new Map<object, number>();
      for (const step of actions) {
        if (step.type === "add") {
          const member = {};
          added.set(member, slots.add(member));
        } else if (step.type === "clear") {
          slots.clear();
          added.clear();
        } else {
          const [member, slot] = [...added][step.at % Math.max(1, added.size)] ?? [];
          if (member === undefined || slot === undefined) continue;
          slots.delete(slot);
          added.delete(member);
        }
        expect(slots.size).toBe(added.size);
        expect(new Set(slots)).toEqual(new Set(added.keys()));
        for (const [member, slot] of added) expect(slots.get(slot)).toBe(member);
      }
    }),
  );
});

test("a member that is taken out during an iteration is not visited, and no other is left out", () => {
  const slots = new Slots<string>();
  const slotOf = new Map(["a", "b", "c", "d"].map((name) => [name, slots.add(name)]));
  const visited: string[] = [];
  for (const name of slots) {
    visited.push(name);
    if (name === "b") for (const gone of ["a", "b", "c"]) slots.delete(slotOf.get(gone) ?? -1);
  }
  expect(visited).toEqual(["a", "b", "d"]);
});
