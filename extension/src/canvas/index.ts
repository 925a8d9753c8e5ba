export { UPDATE_CELL } from './code';
export { mount } from './mount';
export type {
  Answer,
  Change,
  FlowPlace,
  Host,
  Message,
  Options,
  Status,
  Translate,
  Whatever
} from './types';
