import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ServiceView } from "../discogs/service-view.ts";
import { type Answer, json, refusal } from "./answer.ts";
import { LIMITS } from "./limits.ts";

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** What `POST /trigger` needs: whom to ask, and who may. */
export interface TriggerContext {
  readonly view: ServiceView;
  /** Null: whoever reaches the port may. */
  readonly token: string | null;
  readonly onTriggered: (forceReprocess: boolean, result: "started" | "already_running") => void;
}

/** `POST /trigger`: asks for a run. Nothing of the body is read before the caller is known to be allowed. */
export async function trigger(request: IncomingMessage, { view, token, onTriggered }: TriggerContext): Promise<Answer> {
  if (token !== null && !isAuthorized(request.headers.authorization, token)) {
    return refusal(401, "the token is missing or wrong; send Authorization: Bearer <token>", { "WWW-Authenticate": "Bearer" });
  }
  if (isFromForeignPage(request)) return refusal(403, "pages of other sites cannot start runs");
  const body = await readBody(request, LIMITS.bodyBytesMax);
  if (body === null) return refusal(413, `the body is larger than ${LIMITS.bodyBytesMax} bytes`);
  const forceReprocess = parseForce(request.headers["content-type"], body);
  if (typeof forceReprocess !== "boolean") return forceReprocess;
  const result = view.trigger({ forceReprocess });
  onTriggered(forceReprocess, result);
  return result === "started" ? json(202, { force_reprocess: forceReprocess, status: result }) : json(409, { status: result });
}

/** The value of `force_reprocess`, or why there is none. Upstream's rules: without a type the body does not matter. */
function parseForce(contentType: string | undefined, body: Buffer): boolean | Answer {
  if (contentType === undefined) return false;
  if (!JSON_TYPE.test(contentType)) return refusal(415, "the body is not application/json");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return refusal(400, "the body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refusal(422, "the body is not an object");
  const force = "force_reprocess" in value ? value.force_reprocess : false;
  return typeof force === "boolean" ? force : refusal(422, "force_reprocess is neither true nor false");
}

/** Compares digests, so that neither the length of the token nor how much of it was right shows in the time. */
function isAuthorized(header: string | undefined, token: string): boolean {
  const given = /^Bearer +(.+)$/i.exec(header ?? "")?.[1] ?? "";
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** A browser says where a request comes from; programs say nothing. */
function isFromForeignPage({ headers }: IncomingMessage): boolean {
  if (headers["sec-fetch-site"] === "cross-site") return true;
  if (headers.origin === undefined) return false;
  return !URL.canParse(headers.origin) || new URL(headers.origin).host !== headers.host;
}

/** The whole body, or null as soon as it is known to be too large. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return null;
  return await new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    request.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes <= bytesMax) parts.push(part);
      else {
        request.pause();
        resolve(null);
      }
    });
    request.once("end", () => resolve(Buffer.concat(parts)));
    request.once("error", reject);
    request.once("close", () => reject(new Error("the client went away")));
  });
}
