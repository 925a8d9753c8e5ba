import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { WidgetTracker, type MainAreaWidget } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, DOMAIN, IFlowTracker, ILabClient } from '../tokens';
import { hearCanvases } from './cell';
import { addCommands } from './commands';
import type { FlowPanel } from './widget';

/** Flows in tabs of the main area, which a reload brings back. */
export const editorPlugin: JupyterFrontEndPlugin<IFlowTracker> = {
  id: '@promptstudio/lab:editor',
  description: 'The editor of flows in the main area.',
  autoStart: true,
  requires: [ILabClient],
  optional: [ILayoutRestorer, ITranslator],
  provides: IFlowTracker,
  activate: (
    app: JupyterFrontEnd,
    client: ILabClient,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const tracker = new WidgetTracker<MainAreaWidget<FlowPanel>>({
      namespace: 'promptstudio-flows'
    });
    addCommands(app, client, tracker, trans);
    hearCanvases(app);
    void restorer?.restore(tracker, {
      command: CommandIDs.openFlow,
      args: ({ content }) => ({ ...content.flow }),
      name: ({ content }) => content.flow.id
    });
    return tracker;
  }
};
