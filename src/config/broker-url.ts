const SCHEME = /^amqps?:\/\//i;
const ADVICE = "give amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps://";

/** Whether a sink's URL leads to a broker. */
export function isBrokerUrl(url: string): boolean {
  return SCHEME.test(url);
}

/** What is wrong with a broker's URL, without a word of it; null: nothing. */
export function brokerUrlFault(url: string): string | null {
  if (!isBrokerUrl(url)) return ADVICE;
  const behindHost = url.replace(SCHEME, "").replace(/^[^/?#]*/, "");
  // A password with such a character ends the host's part too early, and the rest of it would be shown as something else.
  if (url.includes("#") || behindHost.includes("@")) return `${ADVICE}; write # as %23, and / ? @ in a name or password as %2F %3F %40`;
  try {
    const parsed = new URL(url);
    decodeURIComponent(parsed.username + parsed.password);
    virtualHost(parsed);
    return parsed.hostname === "" ? ADVICE : null;
  } catch {
    return `${ADVICE}; percent-encode what is not a letter or digit in name, password and virtual host`;
  }
}

/** The URL that upstream's extractor makes of its variables. */
export function brokerUrl(parts: { readonly username: string; readonly password: string; readonly host: string; readonly port: number }): string {
  return `amqp://${encode(parts.username)}:${encode(parts.password)}@${parts.host}:${parts.port}/%2F`;
}

/** A sound broker's URL with its virtual host in one spelling, and with the parameters that it does not have itself. */
export function withParameters(url: string, parameters: Readonly<Record<string, string | number | null>>): string {
  const parsed = new URL(url);
  parsed.pathname = `/${encode(virtualHost(parsed))}`;
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && !parsed.searchParams.has(name)) parsed.searchParams.append(name, String(value));
  }
  return parsed.href;
}

/** The path behind the first slash, decoded; none, or a bare slash, is the virtual host `/`. */
function virtualHost({ pathname }: URL): string {
  return decodeURIComponent(pathname.slice(1)) || "/";
}

/** Percent-encodes everything but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
