/**
 * Marks without a shape of their own that turn the writing round, hide, or split what a device sent: a plate that reads as another one. They are shown
 * by their number.
 */
const MARKS = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

export function withMarks(text: string): string {
  return text.replace(MARKS, (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
