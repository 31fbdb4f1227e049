/** The bytes of a message for people: as text where they are text, and as a hex dump. */

const LINE = 16;

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Null when they are no text: not UTF-8, or with control characters in them. */
export function text(base64: string): string | null {
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(base64));
    return /[\x00-\x08\x0e-\x1f]/.test(decoded) ? null : decoded;
  } catch {
    return null;
  }
}

/** Lines of an offset, sixteen bytes, and what of them is ASCII. */
export function hex(base64: string): string {
  const bytes = bytesOf(base64);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE) {
    const part = bytes.slice(at, at + LINE);
    const digits = Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = Array.from(part, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${digits.padEnd(LINE * 3)} ${ascii}`);
  }
  return lines.join("\n");
}

/** Length of what a base64 text holds. */
export function byteLength(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}
