import { caretDownIcon, caretRightIcon, folderIcon, type LabIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useRef, type KeyboardEvent, type ReactElement } from 'react';

import { flowIcon, roomIcon, templateIcon } from '../icons';
import { Literal } from '../literal';
import type { BrowserModel } from './model';
import { step, type Row } from './rows';

const ICONS: Readonly<Record<Row['kind'], LabIcon>> = {
  lab: roomIcon,
  library: folderIcon,
  flow: flowIcon,
  template: templateIcon
};

interface TreeProps {
  readonly model: BrowserModel;
  readonly rows: readonly Row[];
  readonly selected: string | null;
  readonly trans: TranslationBundle;
  readonly onOpen: (row: Row) => void;
}

/** One tree to walk through by arrows; Enter or a double click opens. */
export function Tree({ model, rows, selected, trans, onOpen }: TreeProps): ReactElement {
  const root = useRef<HTMLDivElement>(null);
  const walked = useRef(false);
  const current = rows.some(row => row.key === selected) ? selected : (rows[0]?.key ?? null);

  useEffect(() => {
    if (walked.current) {
      walked.current = false;
      root.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    }
  }, [selected]);

  const act = (row: Row): void => {
    if (row.isOpen === null) {
      onOpen(row);
    } else {
      model.toggle(row.key);
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = rows.findIndex(row => row.key === current);
    const row = rows[at];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const next = step(rows, at, event.key);
    if (next !== null) {
      walked.current = true;
      model.select(rows[next]?.key ?? row.key);
    } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      model.toggle(row.key, event.key === 'ArrowRight');
    } else if (event.key === 'Enter' || event.key === ' ') {
      act(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={root}
      className="pslb-tree"
      role="tree"
      aria-label={trans.__('Flows and templates')}
      onKeyDown={onKeyDown}
    >
      {rows.map(row => (
        <Line
          key={row.key}
          row={row}
          isCurrent={row.key === current}
          isSelected={row.key === selected}
          trans={trans}
          onSelect={() => {
            model.select(row.key);
          }}
          onAct={() => act(row)}
          onToggle={() => model.toggle(row.key)}
        />
      ))}
    </div>
  );
}

interface LineProps {
  readonly row: Row;
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly trans: TranslationBundle;
  readonly onSelect: () => void;
  readonly onAct: () => void;
  readonly onToggle: () => void;
}

function Line({ row, isCurrent, isSelected, trans, ...on }: LineProps): ReactElement {
  const Picture = ICONS[row.kind];
  const Caret = row.isOpen ? caretDownIcon : caretRightIcon;
  return (
    <div
      role="treeitem"
      className="pslb-line"
      data-kind={row.kind}
      tabIndex={isCurrent ? 0 : -1}
      title={title(row, trans)}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-selected={isSelected}
      {...(row.isOpen === null ? {} : { 'aria-expanded': row.isOpen })}
      style={{ paddingInlineStart: 4 + (row.level - 1) * 14 }}
      onClick={on.onSelect}
      onContextMenu={on.onSelect}
      onDoubleClick={on.onAct}
    >
      <span
        className="pslb-caret"
        aria-hidden="true"
        onClick={row.isOpen === null ? undefined : on.onToggle}
        onDoubleClick={event => event.stopPropagation()}
      >
        {row.isOpen !== null && <Caret.react tag="span" width={16} height={16} />}
      </span>
      <Picture.react
        tag="span"
        className="pslb-picture"
        width={16}
        height={16}
        aria-hidden="true"
      />
      <span className="pslb-name">
        <Literal text={row.name} />
      </span>
      <span className="pslb-size">{size(row, trans)}</span>
      {row.version > 0 && <span className="pslb-version">v{row.version}</span>}
    </div>
  );
}

function size(row: Row, trans: TranslationBundle): string {
  switch (row.kind) {
    case 'flow':
      return trans._n('%1 node', '%1 nodes', row.size);
    case 'template':
      return '';
    default:
      return String(row.size);
  }
}

function title(row: Row, trans: TranslationBundle): string {
  switch (row.kind) {
    case 'flow': {
      const nodes = trans._n('%2 · %1 node', '%2 · %1 nodes', row.size, row.path);
      return row.version ? `${nodes} · ${trans.__('version %1', row.version)}` : nodes;
    }
    case 'template':
      return `${row.path} · ${trans.__('version %1', row.version)}`;
    default:
      return trans._n('%2 · %1 item', '%2 · %1 items', row.size, row.path || row.name);
  }
}
