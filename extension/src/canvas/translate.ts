import type { Translate } from '../flow/types';

/** The texts as they are written here, for places that have no translator. */
export const plain: Translate = (text, ...values) =>
  text.replace(/%(\d)/g, (hole, number: string) => String(values[Number(number) - 1] ?? hole));
