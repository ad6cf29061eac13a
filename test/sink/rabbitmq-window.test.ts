import { expect, test } from "vitest";
import { startOf } from "../../src/model.ts";
import { Window } from "../../src/sink/rabbitmq/window.ts";

/** The ends of bodies of these sizes, one LF behind each. */
function endsOf(...sizes: readonly number[]): Uint32Array {
  let end = -1;
  return Uint32Array.from(sizes, (size) => {
    end += size + 1;
    return end;
  });
}

test("takes as many bodies as there is room for, by messages and by bytes", () => {
  const window = new Window(3, 100);
  const who = {};
  window.enqueue(who);
  expect(window.take(who, endsOf(10, 10, 10, 10), 0)).toBe(3);
  expect(window.used).toEqual({ messages: 3, bytes: 30 });
  expect(window.take(who, endsOf(10), 0)).toBe(0);
  window.give(2, 20);
  expect(window.take(who, endsOf(10, 60, 40, 1), 1)).toBe(2);
  expect(window.used).toEqual({ messages: 2, bytes: 70 });
});

test("takes a body larger than itself alone, once it is empty", () => {
  const window = new Window(3, 100);
  const who = {};
  window.enqueue(who);
  expect(window.take(who, endsOf(10, 1000, 10), 0)).toBe(1);
  expect(window.take(who, endsOf(10, 1000, 10), 1)).toBe(1);
  window.give(1, 10);
  expect(window.take(who, endsOf(10, 1000, 10), 1)).toBe(2);
  expect(window.used).toEqual({ messages: 1, bytes: 1000 });
});

test("serves those who wait in order, so that a large body gets its turn", () => {
  const window = new Window(3, 100);
  const [large, small] = [{}, {}];
  window.enqueue(small);
  expect(window.take(small, endsOf(50), 0)).toBe(1);
  window.leave(small);
  window.enqueue(large);
  window.enqueue(small);
  expect(window.take(large, endsOf(90), 0)).toBe(0);
  expect(window.take(small, endsOf(10), 0)).toBe(0);
  window.give(1, 50);
  expect(window.take(large, endsOf(90), 0)).toBe(1);
  window.leave(large);
  expect(window.take(small, endsOf(10), 0)).toBe(1);
});

test("takes a large batch in portions", () => {
  const window = new Window(10_000, 2 ** 30);
  const who = {};
  window.enqueue(who);
  const ends = endsOf(...Array.from({ length: 10 }, () => 300_000));
  const portions: number[] = [];
  for (let from = 0; from < ends.length; ) {
    const to = window.take(who, ends, from);
    portions.push(to - from);
    from = to;
  }
  expect(portions).toEqual([3, 3, 3, 1]);
  expect(startOf(ends, 1)).toBe(300_001);
});
