import type { ReactElement } from 'react';

/** Characters that show nothing, or turn the text around them: they are named instead. */
const HIDDEN =
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}])/u;

/** The text as it was written, piece by piece: hidden characters by their number. */
export function pieces(text: string): { readonly text: string; readonly isHidden: boolean }[] {
  return text
    .split(HIDDEN)
    .map((piece, index) =>
      index % 2 ? { text: codePoint(piece), isHidden: true } : { text: piece, isHidden: false }
    )
    .filter(piece => piece.text);
}

function codePoint(character: string): string {
  const number = character.codePointAt(0) ?? 0;
  return `U+${number.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** The same for where only a plain text can stand: a tooltip, an option, a name. */
export function spelled(text: string): string {
  return pieces(text)
    .map(piece => piece.text)
    .join('');
}

/** What a person or a model wrote, shown literally. */
export function Literal({ text }: { text: string }): ReactElement {
  return (
    <bdi>
      {pieces(text).map((piece, index) =>
        piece.isHidden ? (
          <span key={index} className="psl-hidden-character">
            {piece.text}
          </span>
        ) : (
          piece.text
        )
      )}
    </bdi>
  );
}
