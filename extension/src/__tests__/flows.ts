import type {
  Answer,
  Change,
  Host,
  Message,
  NodeView,
  Status,
  View,
  Whatever
} from '../flow/types';

/** A node with what a test says of it. */
export function node(key: string, more: Partial<NodeView> = {}): NodeView {
  return {
    id: `id-${key}`,
    key,
    kind: 'llm',
    config: {},
    parent: null,
    policy: {},
    x: 0,
    y: 0,
    headline: key,
    prompt: null,
    inputs: [
      { name: 'in', type: 'text', required: true, many: false },
      { name: 'when', type: 'branch', required: false, many: true }
    ],
    outputs: [{ name: 'out', type: 'text' }],
    open: false,
    ...more
  };
}

/** A flow `a → b`, with `c` by itself, in a world of three types. */
export function view(more: Partial<View> = {}): View {
  return {
    warehouse: 'w',
    flow: { id: 'f', path: 'support/triage', version: 0, origin: null },
    me: 'rosa',
    seq: 5,
    kinds: [
      {
        name: 'llm',
        version: 1,
        title: 'LLM',
        summary: 'Asks a model.',
        category: 'Models',
        icon: 'llm',
        accent: '#CC79A7',
        container: false,
        takes: ['text'],
        gives: ['text'],
        schema: {
          type: 'object',
          properties: {
            model: { title: 'Model', type: 'string', format: 'model' },
            temperature: { type: 'number', minimum: 0, maximum: 2 }
          }
        }
      }
    ],
    types: {
      text: {
        text: null,
        branch: 'a text does not fit branch',
        table: 'a text does not fit table'
      },
      table: { text: 'a table does not fit text', table: null },
      branch: { branch: null, text: 'a branch does not fit text' }
    },
    nodes: [node('a'), node('b', { x: 300 }), node('c', { x: 600 })],
    edges: [
      {
        id: 'ab',
        source: 'id-a',
        source_port: 'out',
        source_path: '',
        target: 'id-b',
        target_port: 'in'
      }
    ],
    problems: [],
    problems_tag: 'none',
    ...more
  };
}

export function change(seq: number, more: Partial<Change> = {}): Change {
  return {
    seq,
    nodes: [],
    edges: [],
    gone_nodes: [],
    gone_edges: [],
    problems: [],
    problems_tag: 'none',
    conflicts: [],
    by: [],
    superseded: [],
    ...more
  };
}

/** A host whose answers a test gives one by one. */
export class SlowHost implements Host {
  readonly options = { surface: 'cell', wheel: 'focus' } as const;
  readonly asked: Message[] = [];

  request(message: Message): Promise<Answer> {
    if (message.do === 'ask') {
      return Promise.resolve({ ok: true, data: null });
    }
    this.asked.push(message);
    return new Promise((resolve, reject) => {
      this.open.push({ resolve, reject });
    });
  }

  onChange(listener: (whatever: Whatever) => void): () => void {
    this.push = listener;
    return () => undefined;
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.turn = listener;
    return () => undefined;
  }

  /** Answer the oldest open request, and let everybody hear it. */
  async answer(answer: Answer): Promise<void> {
    this.open.shift()?.resolve(answer);
    await settled();
  }

  /** End as a host does whose kernel is gone. */
  async die(): Promise<void> {
    this.turn('dead');
    this.open.splice(0).forEach(({ reject }) => reject(new Error('gone')));
    await settled();
  }

  push: (whatever: Whatever) => void = () => undefined;
  turn: (status: Status) => void = () => undefined;
  private readonly open: {
    resolve: (answer: Answer) => void;
    reject: (reason: Error) => void;
  }[] = [];
}

/** Let all promises that can settle do so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}
