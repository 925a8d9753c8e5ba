export { UPDATE_CELL } from './code';
export { mount } from './mount';
export type * from './types';
