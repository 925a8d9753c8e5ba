import type { IWidgetTracker, MainAreaWidget } from '@jupyterlab/apputils';
import { Token } from '@lumino/coreutils';

import type { Client } from './api/client';

/** The way to the server: which warehouse, what is in it, and what a canvas asks for. */
export const ILabClient = new Token<ILabClient>(
  '@promptstudio/lab:ILabClient',
  'The way to the server part of PromptStudio Lab.'
);
export type ILabClient = Client;

/** The open flows. */
export const IFlowTracker = new Token<IFlowTracker>(
  '@promptstudio/lab:IFlowTracker',
  'Tracks the flows that are open in the main area.'
);
export type IFlowTracker = IWidgetTracker<MainAreaWidget>;

/** How one surface asks another for something. */
export const CommandIDs = {
  openFlow: 'promptstudio:open-flow',
  newFlow: 'promptstudio:new-flow',
  refresh: 'promptstudio:refresh'
} as const;

/** What `promptstudio:open-flow` needs. */
export interface OpenFlowArgs {
  readonly id: string;
  /** `library/name`, for the title until the flow has come. */
  readonly path: string;
  /** The folder whose warehouse holds it, below the server's root. */
  readonly beside: string;
}

/** The name of the extension's texts for JupyterLab's translator. */
export const DOMAIN = 'promptstudio_lab';
