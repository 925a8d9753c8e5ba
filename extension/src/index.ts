import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { clientPlugin } from './api/plugin';
import { browserPlugin } from './browser/plugin';
import { editorPlugin } from './editor/plugin';

/** What the extension brings to JupyterLab, one small plugin each. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [clientPlugin, browserPlugin, editorPlugin];

export default plugins;
