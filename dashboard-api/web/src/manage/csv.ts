/** Tables for spreadsheets: UTF-8 with a byte order mark, because Excel on a Chinese Windows reads GB 18030 without one. */

const BOM = "\u{feff}";
/** A cell that begins like this is a formula for some spreadsheet, and what devices send must never be one. */
const FORMULA = /^[\s]*[=+\-@＝＋－＠]|^[\t\r\n]/;

function cell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return BOM + [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Hands a table to the browser as a file. */
export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // the download has begun with the click; its bytes are read from the blob a little later
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
