import type { ReactElement } from 'react';

import { Literal } from '../literal';

const SIGNS: Readonly<Record<string, string>> = { '+': 'plus', '-': 'minus', '~': 'changed' };

/** What differs, in words, one difference a line; `inline` where no list may stand. */
export function Lines(props: { lines: readonly string[]; inline?: boolean }): ReactElement {
  const [List, Item] = props.inline ? (['span', 'span'] as const) : (['ul', 'li'] as const);
  return (
    <List className="psl-differences">
      {props.lines.map((line, at) => (
        <Item key={at} className={`psl-line psl-${SIGNS[line[0] ?? ''] ?? 'same'}`}>
          <Literal text={line} />
        </Item>
      ))}
    </List>
  );
}
