import type { ServeConfig } from "../config/serve.ts";
import { SITE_DEFAULTS, type SiteEvents } from "../source/discogs/options.ts";
import { DiscogsSite } from "../source/discogs/site.ts";

/** Where people can read what asks their site for dumps. */
const PRODUCT_URL = "https://www.npmjs.com/package/deadwax";

const NO_EVENTS: SiteEvents = {
  listingFetched() {},
  waiting() {},
  retrying() {},
  downloadStarted() {},
  downloadResumed() {},
  downloadProgressed() {},
  downloadFinished() {},
  warned() {},
};

/** The site of the settings, to be closed by the caller. */
export function openSite({ sourceUrl, allowPrivateSources, proxies, gapMs }: ServeConfig, productVersion: string, events: SiteEvents): DiscogsSite {
  const options = {
    ...SITE_DEFAULTS,
    baseUrl: sourceUrl,
    userAgent: `deadwax/${productVersion} (+${PRODUCT_URL})`,
    allowPrivateAddresses: allowPrivateSources,
    proxy: { httpProxy: proxies.http?.reveal() ?? null, httpsProxy: proxies.https?.reveal() ?? null, noProxy: proxies.no },
    gapMs,
  };
  return new DiscogsSite(options, events);
}

/** Fails with why the site cannot be read; fetches its pages and nothing else. */
export async function checkSite(config: ServeConfig, productVersion: string, signal: AbortSignal): Promise<void> {
  await using site = openSite(config, productVersion, NO_EVENTS);
  await site.list(signal);
}
