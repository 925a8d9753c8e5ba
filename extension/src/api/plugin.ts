import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { ILabClient } from '../tokens';
import { RestClient } from './client';

/** Gives everybody the same way to the server; asks it nothing. */
export const clientPlugin: JupyterFrontEndPlugin<ILabClient> = {
  id: '@promptstudio/lab:client',
  description: 'The way to the server part of PromptStudio Lab.',
  autoStart: true,
  provides: ILabClient,
  activate: (app: JupyterFrontEnd) => new RestClient(app.serviceManager.serverSettings)
};
