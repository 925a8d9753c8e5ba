import { FORMAT } from './clip';
import type { JsonObject, KindView } from './types';

/** A small flow to begin with. */
export interface Starter {
  readonly title: string;
  readonly summary: string;
  /** The kinds that are shown of it, in their order. */
  readonly kinds: readonly string[];
  readonly nodes: readonly Sketched[];
  /** Each as `source.port → target.port`; `source.port:path` for a part of a value. */
  readonly edges: readonly string[];
}

/** A node: its key, kind, place and settings, and the key of what it lies in. */
type Sketched = readonly [string, string, number, number, JsonObject, string?];

const ASK: Starter = {
  title: 'Ask a model',
  summary: 'One question, one answer.',
  kinds: ['input', 'llm', 'output'],
  nodes: [
    ['question', 'input', 0, 0, { type: 'text' }],
    ['answer', 'llm', 288, 0, saying('{{ question }}')],
    ['output', 'output', 576, 0, { fields: ['answer'] }]
  ],
  edges: ['question.value → answer.question', 'answer.text → output.answer']
};

const SORT: Starter = {
  title: 'Sort, then answer',
  summary: 'A label decides which prompt answers.',
  kinds: ['input', 'llm', 'switch', 'llm', 'merge'],
  nodes: [
    ['ticket', 'input', 0, 96, { type: 'text' }],
    [
      'sort',
      'llm',
      288,
      96,
      {
        ...saying('Is this about billing, or technical?\n\n{{ ticket }}'),
        returns: {
          type: 'object',
          properties: { label: { enum: ['billing', 'technical'] } },
          required: ['label']
        }
      }
    ],
    ['switch', 'switch', 576, 96, { cases: ['billing'] }],
    ['billing', 'llm', 864, 0, saying('Answer this question about a bill:\n\n{{ ticket }}')],
    ['technical', 'llm', 864, 192, saying('Explain how to mend this:\n\n{{ ticket }}')],
    ['merge', 'merge', 1152, 96, { strategy: 'first' }],
    ['output', 'output', 1440, 96, { fields: ['answer'] }]
  ],
  edges: [
    'ticket.value → sort.ticket',
    'sort.json:label → switch.value',
    'switch.billing → billing.when',
    'switch.default → technical.when',
    'ticket.value → billing.ticket',
    'ticket.value → technical.ticket',
    'billing.text → merge.in',
    'technical.text → merge.in',
    'merge.value → output.answer'
  ]
};

const EACH: Starter = {
  title: 'Do it for each',
  summary: 'The same prompt for every item of a list.',
  kinds: ['input', 'map', 'llm', 'output'],
  nodes: [
    ['texts', 'input', 0, 32, { type: 'list' }],
    ['each', 'map', 288, 0, {}],
    ['item', 'input', 16, 48, { type: 'text' }, 'each'],
    ['say', 'llm', 304, 48, saying('Say this in one sentence:\n\n{{ text }}'), 'each'],
    ['output', 'output', 592, 48, { fields: ['said'] }, 'each'],
    ['all', 'output', 1200, 32, { fields: ['said'] }]
  ],
  edges: [
    'texts.value → each.items',
    'item.value → say.text',
    'say.text → output.said',
    'each.items → all.said'
  ]
};

function saying(text: string): JsonObject {
  return { prompt: { text } };
}

/** The starters whose kinds are all there. */
export function startersOf(kinds: readonly KindView[]): Starter[] {
  const known = new Set(kinds.map(kind => kind.name));
  return [ASK, SORT, EACH].filter(starter => starter.nodes.every(([, kind]) => known.has(kind)));
}

/** A starter as copied nodes are: what can be pasted can be begun with. */
export function asClip(starter: Starter): string {
  return JSON.stringify({
    format: FORMAT,
    // Keys are unique in each of them, so they serve as ids.
    nodes: starter.nodes.map(([key, kind, x, y, config, parent = null]) => {
      return { id: key, key, kind, x, y, config, policy: {}, parent };
    }),
    edges: starter.edges.map(edge => {
      const [, source, source_port, source_path, target, target_port] =
        /^(\w+)\.(\w+):?(\w*) → (\w+)\.(\w+)$/.exec(edge) ?? [];
      return { source, source_port, source_path, target, target_port };
    })
  });
}
