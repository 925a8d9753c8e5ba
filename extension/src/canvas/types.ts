/** What a place must offer so that a canvas can live in it; the canvas knows nothing else of it. */
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
} from '../flow/types';
