import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

/** What the extension brings to JupyterLab, one small plugin each. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [];

export default plugins;
