import type { JupyterFrontEnd } from '@jupyterlab/application';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';

import { UPDATE_CELL } from '../canvas';

/** A notebook, as far as a canvas in one of its cells needs it. */
interface NotebookLike {
  readonly content: {
    readonly widgets: readonly {
      readonly node: HTMLElement;
      readonly model: { readonly sharedModel: { setSource(source: string): void } };
    }[];
  };
}

/**
 * Let a canvas in a cell replace the cell's lines when its reader asks for it.
 *
 * The canvas itself knows no notebook: it sends an event, and where nobody hears it, says so.
 */
export function hearCanvases(app: JupyterFrontEnd): IDisposable {
  const hear = (event: Event): void => {
    const detail: unknown = event instanceof CustomEvent ? event.detail : null;
    const code = isObject(detail) ? detail['code'] : null;
    const { target } = event;
    if (typeof code !== 'string' || !(target instanceof Node)) {
      return;
    }
    for (const widget of app.shell.widgets('main')) {
      const cell = isNotebook(widget)
        ? widget.content.widgets.find(one => one.node.contains(target))
        : undefined;
      if (cell) {
        cell.model.sharedModel.setSource(`${code.trimEnd()}\nf.edit()`);
        event.preventDefault();
        return;
      }
    }
  };
  document.addEventListener(UPDATE_CELL, hear);
  return new DisposableDelegate(() => document.removeEventListener(UPDATE_CELL, hear));
}

function isNotebook(widget: object): widget is NotebookLike {
  const content: unknown = 'content' in widget ? widget.content : null;
  return isObject(content) && Array.isArray(content['widgets']) && 'activeCell' in content;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
