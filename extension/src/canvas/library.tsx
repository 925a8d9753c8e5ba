import { useEffect, useId, useMemo, useState, type ReactElement } from 'react';

import { difference } from '../flow/lines';
import type { ModelView, NodeView, PreviewView, TemplateView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { useEditor } from './editor';

/** Ask Python something for as long as it is shown, and again when the flow has changed. */
export function useAnswer<T>(ask: () => Promise<T | null>, keys: readonly unknown[]): T | null {
  const [answer, setAnswer] = useState<T | null>(null);
  useEffect(() => {
    let isWanted = true;
    void ask().then(found => {
      if (isWanted) {
        setAnswer(found);
      }
    });
    return () => {
      isWanted = false;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, keys);
  return answer;
}

interface NamedProps {
  readonly typed: string;
  readonly onPick: (name: string) => void;
}

/** The models whose prices are known; a price is for a million tokens. */
export function Models({ typed, onPick }: NamedProps): ReactElement | null {
  const { session, t, live } = useEditor();
  const models = useAnswer(
    () => session.question<ModelView[]>({ do: 'ask', about: 'models' }),
    [session]
  );
  if (!models?.length) {
    return null;
  }
  return (
    <div className="psl-models" role="radiogroup" aria-label={t('Models with a known price')}>
      {models.map(model => (
        <button
          key={model.name}
          type="button"
          role="radio"
          aria-checked={typed === model.name || (!typed && model.default)}
          disabled={!live}
          onClick={() => onPick(model.name)}
        >
          <span className="psl-code">{model.name}</span>
          <span className="psl-price" title={t('a million tokens read · written')}>
            {priced(model.input_usd)} · {priced(model.output_usd)}
          </span>
        </button>
      ))}
    </div>
  );
}

/** Dollars with three significant digits, or a dash where nothing is known. */
function priced(usd: number | null): string {
  return usd === null ? '—' : `$${Number(usd.toPrecision(3))}`;
}

/** The paths of the library's templates, for whoever types one. */
export function TemplateNames({ id }: { id: string }): ReactElement {
  const { session } = useEditor();
  const found = useAnswer(
    () => session.question<{ path: string; version: number }[]>({ do: 'ask', about: 'templates' }),
    [session]
  );
  return (
    <datalist id={id}>
      {found?.map(one => (
        <option key={one.path} value={`${one.path}@${one.version}`} />
      ))}
    </datalist>
  );
}

interface HistoryProps {
  readonly reference: string;
  readonly onPick: (reference: string) => void;
}

/** The versions of a template: choose one, and see what makes it another than the one in use. */
export function TemplateHistory({ reference, onPick }: HistoryProps): ReactElement | null {
  const { session, t, live } = useEditor();
  const id = useId();
  const [path = '', at = ''] = reference.split('@');
  const [compared, setCompared] = useState<number | null>(null);
  useEffect(() => setCompared(null), [reference]);
  const found = useAnswer(
    () =>
      path
        ? session.question<TemplateView>({ do: 'ask', about: 'template', path })
        : Promise.resolve(null),
    [session, path]
  );
  const used = found?.versions.find(
    one => String(one.version) === at || found.labels[at] === one.version
  );
  const current = used ?? found?.versions[0];
  const other = found?.versions.find(one => one.version === compared);
  const lines = useMemo(
    () => (current && other ? difference(other.text, current.text) : []),
    [current, other]
  );
  if (!found || !current) {
    return null;
  }
  const labels = Object.entries(found.labels);
  return (
    <div className="psl-history">
      <label className="psl-title" htmlFor={id}>
        <span>{t('Version')}</span>
      </label>
      <div className="psl-pair">
        <select
          id={id}
          value={at}
          disabled={!live}
          onChange={event => onPick(event.target.value ? `${path}@${event.target.value}` : path)}
        >
          <option value="">{t('the newest')}</option>
          {labels.map(([label, version]) => (
            <option key={label} value={label}>
              {t('%1 (v%2)', label, version)}
            </option>
          ))}
          {found.versions.map(one => (
            <option key={one.version} value={one.version}>
              {one.note ? t('v%1: %2', one.version, spelled(one.note)) : t('v%1', one.version)}
            </option>
          ))}
        </select>
        <select
          aria-label={t('Compare with')}
          value={compared ?? ''}
          disabled={found.versions.length < 2}
          onChange={event => setCompared(event.target.value ? Number(event.target.value) : null)}
        >
          <option value="">{t('compare…')}</option>
          {found.versions
            .filter(one => one !== current)
            .map(one => (
              <option key={one.version} value={one.version}>
                {t('with v%1', one.version)}
              </option>
            ))}
        </select>
      </div>
      {other && (
        <pre
          className="psl-lines psl-code"
          tabIndex={0}
          aria-label={t('What differs between v%1 and v%2', other.version, current.version)}
        >
          {lines.map((line, index) => (
            <span key={index} className={`psl-line psl-${WORDS[line.sign]}`}>
              {line.sign} <Literal text={line.text} />
              {'\n'}
            </span>
          ))}
        </pre>
      )}
    </div>
  );
}

const WORDS = { '+': 'plus', '-': 'minus', ' ': 'same' } as const;

/** The prompt as the model will read it, with the values of one row of a dataset. */
export function Preview({ node }: { node: NodeView }): ReactElement {
  const { session, view, t } = useEditor();
  const [open, setOpen] = useState(false);
  const [dataset, setDataset] = useState('');
  const [item, setItem] = useState(0);
  const datasets = useAnswer(
    () =>
      open
        ? session.question<{ name: string; items: number }[]>({ do: 'ask', about: 'datasets' })
        : Promise.resolve(null),
    [session, open]
  );
  const name = dataset || (datasets?.[0]?.name ?? '');
  const count = datasets?.find(one => one.name === name)?.items ?? 0;
  const preview = useAnswer(
    () =>
      open
        ? session.question<PreviewView>({
            do: 'ask',
            about: 'preview',
            node: node.id,
            dataset: name,
            item: Math.min(item, Math.max(count - 1, 0))
          })
        : Promise.resolve(null),
    [session, open, node.id, node.prompt, name, item, count, view.seq]
  );
  return (
    <details
      className="psl-preview"
      open={open}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>{t('Preview on a row')}</summary>
      {datasets?.length === 0 && (
        <p className="psl-hint">{t('No dataset yet: %1', 'lab.dataset("tickets", rows)')}</p>
      )}
      {Boolean(datasets?.length) && (
        <div className="psl-pair">
          <select
            aria-label={t('Dataset')}
            value={name}
            onChange={event => {
              setDataset(event.target.value);
              setItem(0);
            }}
          >
            {datasets?.map(one => (
              <option key={one.name} value={one.name}>
                {t('%1 (%2 rows)', spelled(one.name), one.items)}
              </option>
            ))}
          </select>
          <input
            type="number"
            aria-label={t('Row')}
            min={1}
            max={Math.max(count, 1)}
            value={item + 1}
            onChange={event => {
              const wanted = Number(event.target.value) - 1;
              setItem(Number.isFinite(wanted) ? Math.max(0, Math.min(wanted, count - 1)) : 0);
            }}
          />
        </div>
      )}
      {preview && (
        <div className="psl-rendered" role="status">
          {preview.pieces.map((piece, at) =>
            piece.variable === null ? (
              <Literal key={at} text={piece.text} />
            ) : (
              <mark
                key={at}
                className={piece.known ? '' : 'psl-unknown'}
                title={
                  piece.known ? piece.variable : t('%1 comes from another node', piece.variable)
                }
              >
                <Literal text={piece.text} />
              </mark>
            )
          )}
        </div>
      )}
    </details>
  );
}
