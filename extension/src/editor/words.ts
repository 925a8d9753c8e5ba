import type { TranslationBundle } from '@jupyterlab/translation';

import type { Translate } from '../canvas';

/** In a tab it is the server that goes and comes back, where in a cell it is the kernel. */
const OF_A_SERVER: Readonly<Record<string, string>> = {
  'The kernel is gone. Re-run the cell.':
    'The Jupyter server does not answer. Start it again, then try again.',
  'The kernel is gone. Re-run the cell to go on editing; nothing unsaved is shown.':
    'The Jupyter server does not answer. Editing goes on when it is back; nothing unsaved is shown.',
  'waiting for the kernel…': 'waiting for the server…'
};

/** The canvas's texts as a tab says them, translated. */
export function wordsOfATab(bundle: TranslationBundle): Translate {
  return (text, ...values) => bundle.__(OF_A_SERVER[text] ?? text, ...values.map(String));
}
