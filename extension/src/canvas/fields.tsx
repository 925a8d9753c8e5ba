import {
  useEffect,
  useId,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode
} from 'react';

import { parse, refusedWord, shown, type Field } from '../flow/form';
import { pieces } from '../flow/template';
import type { Json, NodeView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { useEditor } from './editor';
import { Icon } from './icons';
import { command } from './keys';
import { Models, TemplateHistory, TemplateNames } from './library';

/** Sends a setting; gives the reason if it is refused. */
export type Commit = (value: Json | undefined) => Promise<string | null>;

export interface FieldProps {
  readonly field: Field;
  readonly node: NodeView;
  readonly commit: Commit;
}

/** The control of one setting, chosen by its schema. */
export function FieldControl(props: FieldProps): ReactElement {
  switch (props.field.control) {
    case 'boolean':
      return <Toggle {...props} />;
    case 'choice':
      return <Choice {...props} />;
    case 'strings':
      return <Words {...props} />;
    case 'prompt':
      return <Prompt {...props} />;
    default:
      return <Typed {...props} />;
  }
}

/**
 * A text that is sent when one is done with it, and goes back if it is refused. What somebody is
 * just writing stays while another changes the same; they see what it was changed to.
 */
export function useDraft(
  kept: string,
  send: (typed: string) => Promise<string | null> | { readonly error: string }
): {
  readonly typed: string;
  readonly error: string | null;
  readonly type: (typed: string) => void;
  readonly done: () => void;
  readonly back: () => void;
} {
  const [typed, setTyped] = useState(kept);
  const [error, setError] = useState<string | null>(null);
  const [before, setBefore] = useState(kept);
  const [sent, setSent] = useState<string | null>(null);
  const { t } = useEditor();
  const latest = useRef(kept);
  useEffect(() => {
    latest.current = kept;
  });
  // What is on its way stays as it was written until it is answered.
  if (before !== kept) {
    setBefore(kept);
    if (sent === null && (typed === before || typed === kept)) {
      setTyped(kept);
      setError(null);
    } else if (sent === null) {
      setError(t('Somebody has changed it meanwhile to: %1', kept));
    }
  }
  const done = (): void => {
    if (typed === kept) {
      setError(null);
      return;
    }
    const outcome = send(typed);
    if ('error' in outcome) {
      setError(outcome.error);
      return;
    }
    setSent(typed);
    setError(null);
    void outcome.then(reason => {
      setSent(null);
      setError(reason);
      setTyped(now => (now === typed ? latest.current : now));
    });
  };
  const back = (): void => {
    setTyped(kept);
    setError(null);
  };
  return { typed, error, type: setTyped, done, back };
}

/** Enter ends a line's draft, Ctrl+Enter a longer one's; Escape takes it back first. */
function draftKeys(
  draft: { typed: string; done: () => void; back: () => void },
  kept: string,
  long: boolean
): (event: KeyboardEvent) => void {
  return event => {
    if (event.key === 'Enter' && (!long || command(event))) {
      event.preventDefault();
      draft.done();
    } else if (event.key === 'Escape' && draft.typed !== kept) {
      event.stopPropagation();
      draft.back();
    }
  };
}

function Typed({ field, node, commit }: FieldProps): ReactElement {
  const { t, live } = useEditor();
  const id = useId();
  const kept = shown(field, node.config[field.name]);
  const draft = useDraft(kept, typed => {
    const found = parse(field, typed, t);
    return 'error' in found ? found : commit(found.value);
  });
  const isCode = field.control === 'json' || field.control === 'source';
  const long = isCode || field.control === 'multiline';
  const common = {
    id,
    value: draft.typed,
    readOnly: !live,
    spellCheck: false,
    'aria-invalid': draft.error !== null,
    onBlur: draft.done,
    onKeyDown: draftKeys(draft, kept, long)
  };
  return (
    <Labelled id={id} field={field} error={draft.error}>
      {long ? (
        <Grown text={draft.typed} code={isCode}>
          <textarea {...common} onChange={event => draft.type(event.target.value)} />
        </Grown>
      ) : (
        <input
          {...common}
          className={field.control === 'model' ? 'psl-code' : undefined}
          inputMode={field.control === 'number' ? 'decimal' : undefined}
          placeholder={field.control === 'model' ? t('the default model') : undefined}
          onChange={event => draft.type(event.target.value)}
        />
      )}
      {field.control === 'model' && <Models typed={kept} onPick={name => void commit(name)} />}
    </Labelled>
  );
}

function Toggle({ field, node, commit }: FieldProps): ReactElement {
  const { live } = useEditor();
  return (
    <label className="psl-field psl-toggle">
      <input
        type="checkbox"
        disabled={!live}
        checked={node.config[field.name] === true}
        onChange={event => void commit(event.target.checked)}
      />
      <span>{field.title}</span>
      {field.description && <span className="psl-hint">{field.description}</span>}
    </label>
  );
}

function Choice({ field, node, commit }: FieldProps): ReactElement {
  const { live, t } = useEditor();
  const id = useId();
  const values = field.schema.enum ?? [];
  const now = node.config[field.name] ?? field.schema.default;
  const at = values.findIndex(value => value === now);
  return (
    <Labelled id={id} field={field} error={null}>
      <select
        id={id}
        disabled={!live}
        value={at}
        onChange={event => void commit(values[Number(event.target.value)])}
      >
        {at < 0 && (
          <option value={-1}>{now === undefined ? t('not set') : shown(field, now)}</option>
        )}
        {values.map((value, index) => (
          <option key={index} value={index}>
            {shown(field, value)}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

/** A list of words as chips. */
function Words({ field, node, commit }: FieldProps): ReactElement {
  const { t, live } = useEditor();
  const id = useId();
  const [typed, setTyped] = useState('');
  const [error, setError] = useState<string | null>(null);
  const value = node.config[field.name] ?? field.schema.default;
  const words = Array.isArray(value) ? value.filter(word => typeof word === 'string') : [];
  const send = (next: string[]): void => void commit(next).then(setError);
  const add = (): void => {
    const word = typed.trim();
    if (!word) {
      return;
    }
    const reason = refusedWord(field, words, word, t);
    setError(reason);
    if (reason === null) {
      setTyped('');
      send([...words, word]);
    }
  };
  return (
    <Labelled id={id} field={field} error={error}>
      <div className="psl-words">
        {words.map(word => (
          <span key={word} className="psl-word">
            <Literal text={word} />
            <button
              type="button"
              disabled={!live || words.length <= (field.schema.minItems ?? 0)}
              aria-label={t('Remove %1', spelled(word))}
              onClick={() => send(words.filter(other => other !== word))}
            >
              <Icon name="close" size={10} />
            </button>
          </span>
        ))}
        <input
          id={id}
          value={typed}
          readOnly={!live}
          spellCheck={false}
          placeholder={t('Add…')}
          onChange={event => setTyped(event.target.value)}
          onBlur={add}
          onKeyDown={event => {
            if (event.key === 'Enter' || event.key === ',') {
              event.preventDefault();
              add();
            } else if (event.key === 'Backspace' && !typed && words.length) {
              send(words.slice(0, -1));
            }
          }}
        />
      </div>
    </Labelled>
  );
}

/** A prompt: a text of its own, or a template of a library. */
function Prompt({ field, node, commit }: FieldProps): ReactElement {
  const { t, live } = useEditor();
  const value = node.config[field.name];
  const given = value && typeof value === 'object' && !Array.isArray(value) ? value : {};
  const kept = 'ref' in given ? 'ref' : 'text';
  const [tab, setTab] = useState<'ref' | 'text'>(kept);
  useEffect(() => setTab(kept), [kept, node.id]);
  const tabs = [
    ['text', t('Text')],
    ['ref', t('Library')]
  ] as const;
  return (
    <div className="psl-field">
      <div className="psl-title">
        <span>{field.title}</span>
        <span className="psl-tabs" role="radiogroup" aria-label={t('Where the prompt is kept')}>
          {tabs.map(([name, title]) => (
            <button
              key={name}
              type="button"
              role="radio"
              aria-checked={tab === name}
              disabled={!live}
              onClick={() => setTab(name)}
            >
              {title}
            </button>
          ))}
        </span>
      </div>
      {tab === 'text' ? (
        <PromptText
          text={
            kept === 'text' && typeof given['text'] === 'string'
              ? given['text']
              : (node.prompt ?? '')
          }
          stored={kept === 'text'}
          commit={text => commit({ text })}
        />
      ) : (
        <PromptReference
          reference={typeof given['ref'] === 'string' ? given['ref'] : ''}
          text={kept === 'ref' ? node.prompt : null}
          commit={ref => commit({ ref })}
        />
      )}
    </div>
  );
}

interface PromptTextProps {
  readonly text: string;
  /** Whether this text is what the node keeps; a copy of a template is offered until then. */
  readonly stored: boolean;
  readonly commit: (text: string) => Promise<string | null>;
}

function PromptText({ text, stored, commit }: PromptTextProps): ReactElement {
  const { t, live } = useEditor();
  const draft = useDraft(text, commit);
  return (
    <>
      <Grown text={draft.typed} code>
        <textarea
          aria-label={t('Prompt')}
          value={draft.typed}
          readOnly={!live}
          spellCheck={false}
          onChange={event => draft.type(event.target.value)}
          onBlur={draft.done}
          onKeyDown={draftKeys(draft, text, true)}
        />
      </Grown>
      {!stored && (
        <button type="button" className="psl-link" onClick={() => void commit(draft.typed)}>
          {t('Use this copy instead of the library’s')}
        </button>
      )}
      {draft.error && <Wrong text={draft.error} />}
      <Variables text={draft.typed} />
    </>
  );
}

interface PromptReferenceProps {
  readonly reference: string;
  readonly text: string | null;
  readonly commit: (reference: string) => Promise<string | null>;
}

function PromptReference({ reference, text, commit }: PromptReferenceProps): ReactElement {
  const { t, live } = useEditor();
  const names = useId();
  const draft = useDraft(reference, typed => {
    const wanted = typed.trim();
    return /^[^@]+(@([0-9]+|[A-Za-z][A-Za-z0-9_-]*))?$/.test(wanted)
      ? commit(wanted)
      : { error: t('write it as %1', 'library/name@3') };
  });
  return (
    <>
      <input
        className="psl-code"
        aria-label={t('Template')}
        value={draft.typed}
        readOnly={!live}
        spellCheck={false}
        placeholder="library/name@3"
        list={names}
        onChange={event => draft.type(event.target.value)}
        onBlur={draft.done}
        onKeyDown={draftKeys(draft, reference, false)}
      />
      <TemplateNames id={names} />
      {draft.error && <Wrong text={draft.error} />}
      <TemplateHistory reference={reference} onPick={wanted => void commit(wanted)} />
      {text !== null && (
        <div className="psl-mirror psl-code psl-read">
          <Highlighted text={text} shown />
        </div>
      )}
    </>
  );
}

/** The variables of a prompt: each is an input of the node. */
function Variables({ text }: { text: string }): ReactElement | null {
  const { t } = useEditor();
  const names = [...new Set(pieces(text).flatMap(piece => piece.variable || []))];
  if (!names.length) {
    return <div className="psl-hint">{t('Write %1 to give the node an input.', '{{ name }}')}</div>;
  }
  return (
    <div className="psl-variables">
      {names.map(name => (
        <span key={name} className="psl-variable">
          {name}
        </span>
      ))}
    </div>
  );
}

/** As a mirror of what is typed the very characters; where it is `shown` what one can see. */
function Highlighted({ text, shown }: { text: string; shown?: boolean }): ReactElement {
  return (
    <>
      {pieces(text).map((piece, at) =>
        piece.variable === null ? (
          <span key={at}>{shown ? <Literal text={piece.text} /> : piece.text}</span>
        ) : (
          <mark key={at}>{piece.text}</mark>
        )
      )}
    </>
  );
}

/** A text area as high as its text, over a mirror that marks the variables. */
function Grown(props: { text: string; code?: boolean; children: ReactElement }): ReactElement {
  return (
    <div className={`psl-grown${props.code ? ' psl-code' : ''}`}>
      <div className="psl-stack">
        <div className="psl-mirror" aria-hidden="true">
          <Highlighted text={props.text} />
          {'\u200b'}
        </div>
        {props.children}
      </div>
    </div>
  );
}

interface LabelledProps {
  readonly id: string;
  readonly field: Field;
  readonly error: string | null;
  readonly children: ReactNode;
}

function Labelled({ id, field, error, children }: LabelledProps): ReactElement {
  return (
    <div className="psl-field">
      <label className="psl-title" htmlFor={id}>
        <span>{field.title}</span>
      </label>
      {children}
      {error && <Wrong text={error} />}
      {field.description && <div className="psl-hint">{field.description}</div>}
    </div>
  );
}

interface WrongProps {
  readonly text: string;
  readonly severity?: 'error' | 'warning';
}

export function Wrong({ text, severity = 'error' }: WrongProps): ReactElement {
  return (
    <div className={`psl-wrong-text psl-${severity}`} role="alert">
      <Literal text={text} />
    </div>
  );
}
