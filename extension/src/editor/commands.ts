import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';

import type { Client } from '../api/client';
import { flowIcon } from '../icons';
import { CommandIDs, type OpenFlowArgs } from '../tokens';
import { flowTab, tabId, type FlowPanel } from './widget';
import { wordsOfATab } from './words';

/** Let others open a flow in a tab; an open one is brought forward. */
export function addCommands(
  app: JupyterFrontEnd,
  client: Client,
  tracker: WidgetTracker<MainAreaWidget<FlowPanel>>,
  trans: TranslationBundle
): IDisposable {
  return app.commands.addCommand(CommandIDs.openFlow, {
    label: trans.__('Open Flow'),
    caption: trans.__('Open a flow of the warehouse in the editor'),
    icon: flowIcon,
    describedBy: {
      args: {
        type: 'object',
        required: ['id', 'path'],
        properties: {
          id: { type: 'string', description: trans.__('The flow’s id') },
          path: { type: 'string', description: trans.__('library/name') },
          beside: { type: 'string', description: trans.__('The folder that decides the warehouse') }
        }
      }
    },
    execute: async args => {
      const flow = opened(args);
      let tab = tracker.find(one => one.id === tabId(flow));
      if (!tab) {
        tab = flowTab(client, flow, wordsOfATab(trans), other => {
          void app.commands.execute(CommandIDs.openFlow, { ...other });
        });
        app.shell.add(tab, 'main');
        await tracker.add(tab);
      }
      app.shell.activateById(tab.id);
      return tab;
    }
  });
}

function opened(args: ReadonlyPartialJSONObject): OpenFlowArgs {
  const { id, path, beside } = args;
  if (typeof id !== 'string' || typeof path !== 'string') {
    throw new Error(`${CommandIDs.openFlow} needs an id and a path`);
  }
  return { id, path, beside: typeof beside === 'string' ? beside : '' };
}
