/** `text` on one line, without control characters, at most `charsMax` characters of well-formed Unicode. */
export function oneLine(text: string, charsMax: number): string {
  const line = text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .replace(/\p{Cs}/gu, "\ufffd") // half a pair; strict JSON readers refuse the whole file for it
    .trim();
  const characters = Array.from(line);
  return characters.length <= charsMax ? line : `${characters.slice(0, charsMax - 1).join("")}…`;
}
