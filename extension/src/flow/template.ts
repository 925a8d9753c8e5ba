/** A piece of a template's text: literal, or a `{{ variable }}`. */
export interface Piece {
  readonly text: string;
  readonly variable: string | null;
}

const VARIABLE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** The text in pieces, so that variables can be shown as such; put together they are the text. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(VARIABLE)) {
    if (match.index > from) {
      found.push({ text: text.slice(from, match.index), variable: null });
    }
    found.push({ text: match[0], variable: match[1] ?? '' });
    from = match.index + match[0].length;
  }
  if (from < text.length) {
    found.push({ text: text.slice(from), variable: null });
  }
  return found;
}
