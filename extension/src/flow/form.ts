import type { Edit, Json, NodeView, ProblemView, Schema, Translate } from './types';

export type Control =
  | 'text'
  | 'multiline'
  | 'source'
  | 'number'
  | 'boolean'
  | 'choice'
  | 'strings'
  | 'prompt'
  | 'model'
  | 'json';

/** One field of a form. */
export interface Field {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly control: Control;
  readonly required: boolean;
  readonly schema: Schema;
}

/** The fields of a node kind, in the order of its schema. */
export function fieldsOf(schema: Schema): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, part]) => ({
    name,
    title: part.title ?? name,
    description: part.description ?? '',
    control: controlOf(part),
    required: schema.required?.includes(name) ?? false,
    schema: part
  }));
}

const FORMATS: Readonly<Record<string, Control>> = {
  prompt: 'prompt',
  model: 'model',
  json: 'json',
  multiline: 'multiline',
  python: 'source',
  sql: 'source',
  expression: 'source'
};
const TYPES: Readonly<Record<string, Control>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'boolean'
};

function controlOf(schema: Schema): Control {
  const format = FORMATS[schema.format ?? ''];
  if (format) {
    return format;
  }
  if (schema.enum) {
    return 'choice';
  }
  if (schema.type === 'array' && (schema.items?.type === 'string' || hasWords(schema))) {
    return 'strings';
  }
  return TYPES[schema.type ?? ''] ?? 'json';
}

/** Whether a list is of words or of something longer. */
function hasWords(schema: Schema): boolean {
  return schema.items?.oneOf?.some(one => one.type === 'string') ?? false;
}

/** What was typed as a value, nothing at all (the setting goes), or why it is no value. */
export type Parsed = { readonly value: Json | undefined } | { readonly error: string };

/** Read what was typed into a field. */
export function parse(field: Field, typed: string, t: Translate): Parsed {
  if (field.control === 'number') {
    return parseNumber(field.schema, typed.trim(), t);
  }
  if (field.control === 'json') {
    return parseJson(field.schema, typed.trim(), t);
  }
  const text = ['multiline', 'source'].includes(field.control) ? typed : typed.trim();
  return { value: text === '' ? undefined : text };
}

function parseNumber(schema: Schema, typed: string, t: Translate): Parsed {
  if (typed === '') {
    return { value: undefined };
  }
  const value = Number(typed);
  if (!Number.isFinite(value)) {
    return { error: t('%1 is not a number', typed) };
  }
  if (schema.type === 'integer' && !Number.isInteger(value)) {
    return { error: t('a whole number is needed') };
  }
  if (schema.minimum !== undefined && value < schema.minimum) {
    return { error: t('at least %1', schema.minimum) };
  }
  if (schema.maximum !== undefined && value > schema.maximum) {
    return { error: t('at most %1', schema.maximum) };
  }
  return { value };
}

function parseJson(schema: Schema, typed: string, t: Translate): Parsed {
  if (typed === '') {
    return { value: undefined };
  }
  let value: Json;
  try {
    value = JSON.parse(typed) as Json;
  } catch (error) {
    return { error: t('not JSON: %1', error instanceof Error ? error.message : String(error)) };
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (schema.type === 'object' && !isObject) {
    return { error: t('a JSON object is needed, such as %1', '{"type": "object"}') };
  }
  return { value };
}

/** Why a word cannot join a list of words, or null if it can. */
export function refusedWord(field: Field, words: readonly string[], word: string, t: Translate) {
  const pattern = field.schema.items?.pattern;
  if (words.includes(word)) {
    return t('%1 is there already', word);
  }
  if (pattern && !new RegExp(pattern, 'u').test(word)) {
    return t('%1 is not a name; use letters, digits and underscores', word);
  }
  return null;
}

/** A value as the text of its field. */
export function shown(field: Field, value: Json | undefined): string {
  if (value === undefined || value === null) {
    return '';
  }
  if (field.control === 'json') {
    return JSON.stringify(value, null, 2);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The edit that changes one setting, or null if nothing changed. */
export function setting(node: NodeView, name: string, value: Json | undefined): Edit | null {
  if (same(node.config[name], value)) {
    return null;
  }
  return value === undefined
    ? { type: 'configure', node: node.id, without: [name] }
    : { type: 'configure', node: node.id, settings: { [name]: value } };
}

/** The problems that Python found in one field of a node. */
export function problemsOf(
  problems: readonly ProblemView[],
  node: NodeView,
  name: string
): readonly ProblemView[] {
  const pointer = `/nodes/${node.key}/config/${name}`;
  return problems.filter(
    problem =>
      problem.node === node.id &&
      (problem.pointer === pointer || problem.pointer.startsWith(`${pointer}/`))
  );
}

function same(one: Json | undefined, other: Json | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
