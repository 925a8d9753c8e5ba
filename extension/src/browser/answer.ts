/** How an answer is given, as its JSON Schema asks for it. */
export type AnswerForm =
  | { readonly kind: 'choice'; readonly options: readonly unknown[] }
  | { readonly kind: 'number' | 'text' | 'json' };

export type Parsed = { readonly value: unknown } | { readonly wrong: string };

type Schema = Readonly<Record<string, unknown>> | null;

/** The form that fits a schema: what can be picked is picked, the rest is written. */
export function formOf(schema: Schema): AnswerForm {
  const options = schema?.['enum'];
  if (Array.isArray(options) && options.length > 0) {
    return { kind: 'choice', options };
  }
  switch (schema?.['type']) {
    case 'boolean':
      return { kind: 'choice', options: [true, false] };
    case 'integer':
    case 'number':
      return { kind: 'number' };
    case 'string':
      return { kind: 'text' };
    default:
      return { kind: 'json' };
  }
}

/** What somebody wrote, as a value; the server checks it against the whole schema. */
export function parsed(form: AnswerForm, written: string): Parsed {
  if (form.kind === 'text') {
    return { value: written };
  }
  const text = written.trim();
  if (form.kind === 'number') {
    const value = Number(text);
    return text !== '' && Number.isFinite(value) ? { value } : { wrong: 'Write a number.' };
  }
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { wrong: 'Write JSON, such as "yes", 5 or {"ok": true}.' };
  }
}

/** A value as people read it. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}
