import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, InputDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon, refreshIcon } from '@jupyterlab/ui-components';
import { DisposableSet, type IDisposable } from '@lumino/disposable';

import type { Client } from '../api/client';
import { flowIcon } from '../icons';
import { CommandIDs, type OpenFlowArgs } from '../tokens';
import type { BrowserModel } from './model';
import { asCode, type Row } from './rows';

/** What a context menu of this surface offers. */
export const OWN = {
  open: 'promptstudio:open-selected',
  copyCode: 'promptstudio:copy-code'
} as const;

/** Open a row: a flow in a tab, a template below the tree. */
export function openRow(app: JupyterFrontEnd, model: BrowserModel, row: Row): void {
  if (row.kind === 'flow') {
    const args: OpenFlowArgs = { id: row.id, path: row.path, beside: model.beside };
    void app.commands.execute(CommandIDs.openFlow, { ...args });
  } else if (row.kind === 'template') {
    void model.read(row);
  }
}

/** Everything that one can do here, for the palette, the launcher and the context menu. */
export function addCommands(
  app: JupyterFrontEnd,
  client: Client,
  model: BrowserModel,
  trans: TranslationBundle
): IDisposable {
  const { commands } = app;
  const added = new DisposableSet();
  const none = { args: { type: 'object', properties: {} } } as const;
  const selected = (): Row | null => model.selectedRow;

  added.add(
    commands.addCommand(CommandIDs.refresh, {
      label: trans.__('Refresh Flows and Templates'),
      icon: refreshIcon,
      describedBy: none,
      execute: () => model.refresh()
    })
  );
  added.add(
    commands.addCommand(CommandIDs.newFlow, {
      label: args => (args['isLauncher'] ? trans.__('Flow') : trans.__('New Flow…')),
      caption: trans.__('Make a flow and open it in the editor'),
      icon: flowIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            path: { type: 'string', description: trans.__('library/name') },
            isLauncher: { type: 'boolean' }
          }
        }
      },
      execute: async args => {
        const given = args['path'];
        const path = typeof given === 'string' ? given : await askForPath(model, trans);
        return path ? make(app, client, model, path, trans) : null;
      }
    })
  );
  added.add(
    commands.addCommand(OWN.open, {
      label: trans.__('Open'),
      describedBy: none,
      execute: () => {
        const row = selected();
        if (row) {
          openRow(app, model, row);
        }
      }
    })
  );
  added.add(
    commands.addCommand(OWN.copyCode, {
      label: trans.__('Copy as Code'),
      caption: trans.__('Copy the line that opens it in a notebook'),
      icon: copyIcon,
      describedBy: none,
      execute: () => {
        const row = selected();
        if (row) {
          Clipboard.copyToSystem(asCode(row));
        }
      }
    })
  );
  return added;
}

async function askForPath(model: BrowserModel, trans: TranslationBundle): Promise<string | null> {
  const row = model.selectedRow;
  const library = row?.kind === 'library' ? row.path : row?.path.split('/').slice(0, -1).join('/');
  const asked = await InputDialog.getText({
    title: trans.__('New Flow'),
    label: trans.__('Its name, in a library if you like'),
    placeholder: `${library || 'support'}/triage`,
    okLabel: trans.__('Create')
  });
  return asked.button.accept ? (asked.value?.trim() ?? null) : null;
}

async function make(
  app: JupyterFrontEnd,
  client: Client,
  model: BrowserModel,
  path: string,
  trans: TranslationBundle
): Promise<unknown> {
  try {
    const flow = await client.makeFlow(model.beside, path);
    void model.refresh();
    const args: OpenFlowArgs = { ...flow, beside: model.beside };
    return await app.commands.execute(CommandIDs.openFlow, { ...args });
  } catch (reason) {
    await showErrorMessage(
      trans.__('The flow was not made'),
      reason instanceof Error ? reason.message : String(reason)
    );
    return null;
  }
}
