import { parentPort, workerData } from "node:worker_threads";

// Plain JavaScript, since worker threads do not know TypeScript: reads each document, tells how it ended.
const { addon, paths, options } = workerData;
const { closeSource, openSource, pullPiece } = await import(addon);
const slot = new Uint8Array(1 << 16);
for (const [index, path] of paths.entries()) {
  let ending = "";
  const { handle } = openSource({ ...options, path });
  for (let rejects = 0; ending === ""; ) {
    const piece = pullPiece(handle, slot);
    rejects += piece.rejects.length;
    if (piece.fault) ending = piece.fault.code;
    else if (piece.end) ending = rejects > 0 ? "rejects" : "ok";
  }
  closeSource(handle);
  parentPort.postMessage({ index, ending });
}
