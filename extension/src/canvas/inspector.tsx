import { useId, type ReactElement } from 'react';

import { WHEN } from '../flow/apply';
import { portsOf, refusal } from '../flow/connect';
import { fieldsOf, problemsOf, setting } from '../flow/form';
import { newId } from '../flow/ids';
import type { EdgeView, InputView, NodeView, RunView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { accent, kindOf, problemsAt, useEditor } from './editor';
import { FieldControl, useDraft, Wrong } from './fields';
import { Icon } from './icons';
import { Preview } from './library';
import { NOTE } from './node';
import { Policy } from './policy';
import { Mend } from './problems';
import { Values } from './values';

interface InspectorProps {
  readonly node: NodeView;
  /** The run that is painted, if one is. */
  readonly run: RunView | null;
  readonly onClose: () => void;
  readonly onRemove: () => void;
  readonly onRun: () => void;
}

/** The settings of one node, drawn from the schema of its kind. */
export function Inspector({ node, run, onClose, onRemove, onRun }: InspectorProps): ReactElement {
  const { view, session, t, live } = useEditor();
  const kind = kindOf(view, node);
  const fields = kind ? fieldsOf(kind.schema) : [];
  const inFields = new Set(fields.flatMap(field => problemsOf(view.problems, node, field.name)));
  const others = problemsAt(view, node).filter(problem => !inFields.has(problem));
  return (
    <aside
      className="psl-inspector"
      aria-label={t('Settings of %1', node.key)}
      style={accent(kind?.accent)}
    >
      <header>
        <span className="psl-tile">
          <Icon name={kind?.icon ?? 'unknown'} />
        </span>
        <span className="psl-inspector-title">
          <b>{kind?.title ?? node.kind}</b>
          <span className="psl-muted">
            {kind?.summary ?? t('This kind of node is not installed.')}
          </span>
        </span>
        <button
          type="button"
          className="psl-tool"
          aria-label={t('Close')}
          title={t('Close (Esc)')}
          onClick={onClose}
        >
          <Icon name="close" size={14} />
        </button>
      </header>
      <div className="psl-form">
        {run && node.kind !== NOTE && <Values key={node.id} node={node} run={run} />}
        <Name key={`name ${node.id}`} node={node} />
        {fields.map(field => (
          <div key={`${node.id} ${field.name}`}>
            <FieldControl
              field={field}
              node={node}
              commit={async value => {
                const edit = setting(node, field.name, value);
                return edit === null ? null : session.edit(edit, 'returned');
              }}
            />
            {problemsOf(view.problems, node, field.name).map((problem, at) => (
              <div key={at} className="psl-wrong-row">
                <Wrong text={problem.message} severity={problem.severity} />
                <Mend problem={problem} />
              </div>
            ))}
            {field.control === 'prompt' && <Preview node={node} />}
          </div>
        ))}
        {!kind && <Unknown node={node} />}
        <Inputs node={node} />
        {others.map((problem, at) => (
          <div key={at} className="psl-wrong-row">
            <Wrong text={problem.message} severity={problem.severity} />
            <Mend problem={problem} />
          </div>
        ))}
        {kind && node.kind !== NOTE && <Policy node={node} />}
      </div>
      <footer>
        {node.parent === null && node.kind !== NOTE && (
          <button type="button" className="psl-link" disabled={!live} onClick={onRun}>
            <Icon name="play" size={14} />
            {t('Run to here…')}
          </button>
        )}
        <button type="button" className="psl-link psl-remove" disabled={!live} onClick={onRemove}>
          <Icon name="remove" size={14} />
          {t('Remove node')}
        </button>
      </footer>
    </aside>
  );
}

/** What a node of a kind that is not installed holds: it stays as it is. */
function Unknown({ node }: { node: NodeView }): ReactElement {
  const { t } = useEditor();
  return (
    <div className="psl-field">
      <span className="psl-title">{t('Kept as it is')}</span>
      <pre className="psl-source psl-code" tabIndex={0}>
        {JSON.stringify(node.config, null, 2)}
      </pre>
      <span className="psl-hint">{t('Install the package that brings “%1”.', node.kind)}</span>
    </div>
  );
}

function Name({ node }: { node: NodeView }): ReactElement {
  const { session, t, live } = useEditor();
  const id = useId();
  const draft = useDraft(node.key, typed =>
    session.edit({ type: 'rename', node: node.id, key: typed.trim() }, 'returned')
  );
  return (
    <div className="psl-field">
      <label className="psl-title" htmlFor={id}>
        <span>{t('Name')}</span>
      </label>
      <input
        id={id}
        className="psl-code"
        value={draft.typed}
        readOnly={!live}
        spellCheck={false}
        onChange={event => draft.type(event.target.value)}
        onBlur={draft.done}
        onKeyDown={event => {
          if (event.key === 'Enter') {
            draft.done();
          } else if (event.key === 'Escape' && draft.typed !== node.key) {
            event.stopPropagation();
            draft.back();
          }
        }}
      />
      {draft.error && <Wrong text={draft.error} />}
    </div>
  );
}

/** What each input is fed by: the way to connect nodes without a mouse. */
function Inputs({ node }: { node: NodeView }): ReactElement | null {
  const { view, t } = useEditor();
  const when: InputView = { name: WHEN, type: 'branch', required: false, many: true };
  const isBranched = view.edges.some(edge => edge.target === node.id && edge.target_port === WHEN);
  const inputs = [...portsOf(view, node).inputs, ...(isBranched ? [when] : [])];
  if (!inputs.length) {
    return null;
  }
  return (
    <section className="psl-inputs">
      <div className="psl-section">{t('Inputs')}</div>
      {inputs.map(input => (
        <Input key={input.name} node={node} input={input} />
      ))}
    </section>
  );
}

function Input({ node, input }: { node: NodeView; input: InputView }): ReactElement {
  const { view, session, t, live } = useEditor();
  const edges = view.edges.filter(
    edge => edge.target === node.id && edge.target_port === input.name
  );
  const offers = view.nodes.flatMap(source =>
    source.outputs
      .map(port => ({
        source: source.id,
        source_port: port.name,
        target: node.id,
        target_port: input.name,
        name: `${source.key}.${port.name}`
      }))
      .filter(offer => refusal(view, offer, t) === null)
  );
  return (
    <div className="psl-input">
      <span className="psl-input-name">
        <Literal text={input.name} />
      </span>
      <div className="psl-feeds">
        {edges.map(edge => (
          <Feed key={edge.id} edge={edge} />
        ))}
        {(input.many || !edges.length) && (
          <select
            value=""
            disabled={!live || !offers.length}
            aria-label={t('Feed %1 from', spelled(input.name))}
            onChange={event => {
              const offer = offers[Number(event.target.value)];
              if (offer) {
                const { name: _, ...ends } = offer;
                void session.edit({ type: 'connect', edge: newId(), source_path: '', ...ends });
              }
            }}
          >
            <option value="">{offers.length ? t('connect…') : t('nothing fits')}</option>
            {offers.map((offer, at) => (
              <option key={offer.name} value={at}>
                {spelled(offer.name)}
              </option>
            ))}
          </select>
        )}
      </div>
    </div>
  );
}

const PARTED = ['json', 'any', 'document'];

/** One edge into an input; of a structured value, a part can be named. */
function Feed({ edge }: { edge: EdgeView }): ReactElement {
  const { view, session, t, live } = useEditor();
  const source = view.nodes.find(node => node.id === edge.source);
  const port = source?.outputs.find(output => output.name === edge.source_port);
  const draft = useDraft(edge.source_path, async typed => {
    const { id, ...ends } = edge;
    const path = typed.trim().replace(/^\./, '');
    const gone = await session.edit({ type: 'remove', nodes: [], edges: [id] });
    if (gone !== null) {
      return gone;
    }
    const refused = await session.edit(
      { ...ends, type: 'connect', edge: newId(), source_path: path },
      'returned'
    );
    if (refused !== null) {
      await session.undo();
    }
    return refused;
  });
  return (
    <>
      <span className="psl-feed">
        <span className="psl-code">
          {source?.key ?? '?'}.<Literal text={edge.source_port} />
        </span>
        {PARTED.includes(port?.type ?? 'any') && (
          <input
            className="psl-code"
            value={draft.typed}
            readOnly={!live}
            spellCheck={false}
            placeholder={t('part')}
            aria-label={t('Part of the value')}
            onChange={event => draft.type(event.target.value)}
            onBlur={draft.done}
            onKeyDown={event => {
              if (event.key === 'Enter') {
                draft.done();
              }
            }}
          />
        )}
        <button
          type="button"
          disabled={!live}
          aria-label={t('Disconnect %1', source?.key ?? '')}
          title={t('Disconnect')}
          onClick={() => void session.edit({ type: 'remove', nodes: [], edges: [edge.id] })}
        >
          <Icon name="close" size={10} />
        </button>
      </span>
      {draft.error && <Wrong text={draft.error} />}
    </>
  );
}
