import { expect, test } from "vitest";
import { Connections } from "../../src/sink/postgres/connections.ts";
import { RecordedEvents } from "./sink-events.ts";

test("a PostgreSQL sink is connected again once all of its connections are, and takes records again once none has to wait", () => {
  const events = new RecordedEvents();
  const connections = new Connections(events);
  const [one, other] = [connections.next(), connections.next()];
  one.connected();
  other.connected();
  expect(events.heard).toEqual(["connected", "connected"]);
  one.lost("terminated");
  other.lost("terminated");
  one.reconnecting("refused", 1, 5);
  other.connected();
  expect(events.heard.slice(2)).toEqual(["lost: terminated", "lost: terminated", "reconnecting 1: refused (5)"]);
  one.connected();
  expect(events.heard.slice(5)).toEqual(["connected"]);
  one.blocked("a lock");
  other.blocked("a lock");
  one.unblocked();
  expect(events.count("unblocked")).toBe(0);
  other.unblocked();
  expect(events.count("unblocked")).toBe(1);
});

test("a connection that is closed while it is lost keeps a PostgreSQL sink from nothing", () => {
  const events = new RecordedEvents();
  const connections = new Connections(events);
  const [one, other, third] = [connections.next(), connections.next(), connections.next()];
  for (const connection of [one, other, third]) connection.connected();
  for (const connection of [one, other, third]) connection.lost("terminated");
  one.closed?.(); // its file has failed otherwise
  expect(events.count("connected")).toBe(3);
  other.connected();
  expect(events.count("connected")).toBe(3);
  third.closed?.();
  expect(events.count("connected")).toBe(4);
  other.lost("terminated");
  other.closed?.();
  expect(events.count("connected")).toBe(4); // none stands
});
