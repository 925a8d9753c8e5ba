import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { DisposableSet, type IDisposable } from '@lumino/disposable';

import { CommandIDs, DOMAIN, ILabClient } from '../tokens';
import { addCommands, openRow, OWN } from './commands';
import { BrowserModel } from './model';
import { BrowserPanel } from './panel';

const RANK = 350;

/** The sidebar with what is in the warehouse. */
export const browserPlugin: JupyterFrontEndPlugin<void> = {
  id: '@promptstudio/lab:browser',
  description: 'The browser of flows and templates in the left sidebar.',
  autoStart: true,
  requires: [ILabClient],
  optional: [ILabShell, ICommandPalette, ILauncher, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: ILabClient,
    shell: ILabShell | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const model = new BrowserModel(client);
    const panel = new BrowserPanel(
      model,
      {
        open: row => openRow(app, model, row),
        create: () => void app.commands.execute(CommandIDs.newFlow)
      },
      trans
    );
    const added = DisposableSet.from([addCommands(app, client, model, trans)]);
    const follow = (_: ILabShell, { newValue }: ILabShell.ICurrentPathChangedArgs): void => {
      model.follow(newValue);
    };
    shell?.currentPathChanged.connect(follow);
    panel.disposed.connect(() => {
      shell?.currentPathChanged.disconnect(follow);
      added.dispose();
      model.dispose();
    });
    app.shell.add(panel, 'left', { rank: RANK, type: 'PromptStudio' });
    restorer?.add(panel, panel.id);
    offer(app, palette, launcher, trans.__('PromptStudio')).forEach(item => added.add(item));
  }
};

/** Put the commands where people look for them. */
function offer(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  launcher: ILauncher | null,
  category: string
): IDisposable[] {
  const found: (IDisposable | undefined)[] = [];
  for (const command of [CommandIDs.newFlow, CommandIDs.refresh]) {
    found.push(palette?.addItem({ command, category }));
  }
  const args = { isLauncher: true };
  found.push(launcher?.add({ command: CommandIDs.newFlow, category, rank: 1, args }));
  for (const kind of ['flow', 'template']) {
    const selector = `.psl-browser .pslb-line[data-kind="${kind}"]`;
    found.push(app.contextMenu.addItem({ command: OWN.open, selector, rank: 1 }));
    found.push(app.contextMenu.addItem({ command: OWN.copyCode, selector, rank: 2 }));
  }
  return found.filter(item => item !== undefined);
}
