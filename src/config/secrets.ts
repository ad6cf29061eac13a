const PASSWORD_IN_AUTHORITY = /^([a-z][a-z0-9+.-]*:\/\/[^:@/]*):.*@/i;
const SECRET_IN_QUERY = /([?&][^=&#]*(?:password|passwd|pwd|secret|token|key)[^=&#]*=)[^&#]*/gi;

/** A URL as it may be printed: passwords become `***`. Greedy, because a password may hold an unescaped `/` or `@`. */
export function hideSecrets(url: string): string {
  return url.replace(PASSWORD_IN_AUTHORITY, "$1:***@").replace(SECRET_IN_QUERY, "$1***");
}
