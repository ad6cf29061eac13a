// Somebody who wears a server out: opens COUNT connections to PORT as fast as they are taken, every fourth with the beginning of a request,
// and says nothing more. Usage: idle-sockets.mjs PORT COUNT; prints `{"opened":N,"failed":N}` once all were tried, and holds them until
// standard input ends.
import { connect } from "node:net";

/** As many attempts wait to be taken at once as a machine queues. */
const PENDING_MAX = 200;

const [port, count] = process.argv.slice(2).map(Number);
let opened = 0;
let failed = 0;
let tried = 0;

function open() {
  if (tried === count) return;
  const number = tried++;
  let isOpen = false;
  const socket = connect(port, "127.0.0.1", () => {
    isOpen = true;
    opened++;
    if (number % 4 === 0) socket.write("GET /health HTTP/1.1\r\nHost: ");
    next();
  });
  socket.on("error", () => {
    if (isOpen) return; // was taken, and ended later
    failed++;
    next();
  });
  socket.resume();
}

function next() {
  if (opened + failed === count) process.stdout.write(`${JSON.stringify({ opened, failed })}\n`);
  else open();
}

process.stdin.on("end", () => process.exit(0)).resume();
for (let index = 0; index < Math.min(PENDING_MAX, count); index++) open();
