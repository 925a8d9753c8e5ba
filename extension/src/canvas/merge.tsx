import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type ReactElement
} from 'react';

import type { HunkView, MergeView, OriginView } from '../flow/types';
import { Literal } from '../literal';
import { useEditor } from './editor';
import { Icon } from './icons';
import { Lines } from './lines';
import { useOften } from './often';

/** Where a fork came from, and its changes on their way back, one by one. */
export function Merge({ origin }: { origin: OriginView }): ReactElement {
  const { session, t, live } = useEditor();
  const [open, setOpen] = useState(false);
  const { path, version } = origin;
  return (
    <section className="psl-merge" aria-label={t('The flow that this was forked from')}>
      <div className="psl-came">
        <Icon name="fork" size={14} />
        <span>
          {t('Forked from')} <Literal text={path ?? t('an archived flow')} /> {t('v%1', version)}
        </span>
      </div>
      {path !== null && (
        <div className="psl-buttons">
          <button
            type="button"
            className="psl-button psl-quiet"
            aria-expanded={open}
            disabled={!live}
            onClick={() => setOpen(!open)}
          >
            {t('Merge back…')}
          </button>
          {session.opener && (
            <button
              type="button"
              className="psl-link"
              onClick={() => session.opener?.({ id: origin.id, path })}
            >
              {t('Open it')}
            </button>
          )}
        </div>
      )}
      {open && path !== null && <Hunks path={path} />}
    </section>
  );
}

/** The changes to choose from. What both have changed is never taken unasked. */
function Hunks({ path }: { path: string }): ReactElement {
  const { view, session, t, live } = useEditor();
  const [found, setFound] = useState<MergeView | null>(null);
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const [done, setDone] = useState<{ readonly count: number } | null>(null);
  const told = useRef<HTMLDivElement>(null);
  // The button that was pressed has nothing more to do: the keys go to what came of it.
  useLayoutEffect(() => told.current?.focus({ preventScroll: true }), [done]);
  const look = useCallback(async () => {
    const now = await session.question<MergeView>({ do: 'ask', about: 'merge' }, 'silent');
    setFound(before => now ?? before);
  }, [session]);
  const { seq } = view;
  useEffect(() => {
    void look();
  }, [look, seq]);
  useOften(look, live);
  if (!found) {
    return <p className="psl-hint">{t('Comparing…')}</p>;
  }
  const { hunks, theirs } = found;
  const chosen = withNeeds(
    hunks,
    hunks.filter(hunk => (hunk.clash === null) !== turned.has(hunk.id))
  );
  const turn = (hunk: HunkView): void => {
    const changing = chosen.has(hunk.id) ? leaning(hunks, hunk.id) : withNeeds(hunks, [hunk]);
    const on = !chosen.has(hunk.id);
    setTurned(before => {
      const after = new Set(before);
      for (const one of hunks.filter(({ id }) => changing.has(id))) {
        after[(one.clash === null) === on ? 'delete' : 'add'](one.id);
      }
      return after;
    });
  };
  const merge = async (): Promise<void> => {
    if ((await session.merge([...chosen])) === null) {
      setDone({ count: chosen.size });
    }
    await look();
  };
  return (
    <div className="psl-hunks">
      {done && (
        <div ref={told} className="psl-told" role="status" tabIndex={-1}>
          <span>
            {done.count === 1 ? t('1 change is in') : t('%1 changes are in', done.count)}{' '}
            <Literal text={path} />
            {t(' now, as one step: undo there takes it back.')}
          </span>
        </div>
      )}
      {hunks.length ? (
        <ul aria-label={t('Changes to merge')}>
          {hunks.map(hunk => (
            <Hunk
              key={hunk.id}
              hunk={hunk}
              chosen={chosen.has(hunk.id)}
              onTurn={() => turn(hunk)}
            />
          ))}
        </ul>
      ) : (
        <p className="psl-hint">{t('Nothing to merge: it has all that was changed here.')}</p>
      )}
      {theirs.length > 0 && (
        <details>
          <summary>{t('Changed there meanwhile (%1)', theirs.length)}</summary>
          <Lines lines={theirs} />
        </details>
      )}
      {hunks.length > 0 && (
        <button
          type="button"
          className="psl-button"
          disabled={!live || !chosen.size}
          onClick={() => void merge()}
        >
          {chosen.size === 0 && t('Choose what to merge')}
          {chosen.size === 1 && t('Merge 1 change')}
          {chosen.size > 1 && t('Merge %1 changes', chosen.size)}
        </button>
      )}
    </div>
  );
}

interface HunkProps {
  readonly hunk: HunkView;
  readonly chosen: boolean;
  readonly onTurn: () => void;
}

function Hunk({ hunk, chosen, onTurn }: HunkProps): ReactElement {
  const { t, live } = useEditor();
  const { clash } = hunk;
  return (
    <li className={`psl-hunk${clash ? ' psl-clash' : ''}`}>
      <label>
        <input type="checkbox" checked={chosen} disabled={!live} onChange={onTurn} />
        <Lines lines={hunk.lines} inline />
      </label>
      {clash && (
        <>
          <p className="psl-clash-said">
            <Icon name="problem" size={12} />
            {t('Changed there as well.')}{' '}
            {chosen ? t('Yours will replace theirs.') : t('Theirs stays.')}
          </p>
          <dl>
            <Side name={t('was')} value={clash.base} />
            <Side name={t('yours')} value={clash.mine} kept={chosen} />
            <Side name={t('theirs')} value={clash.theirs} kept={!chosen} />
          </dl>
        </>
      )}
    </li>
  );
}

function Side(props: { name: string; value: string; kept?: boolean }): ReactElement {
  return (
    <div className={props.kept ? 'psl-kept-side' : undefined}>
      <dt>{props.name}</dt>
      <dd className="psl-code">
        <Literal text={props.value} />
      </dd>
    </div>
  );
}

/** The ids of hunks with all that they need. */
function withNeeds(hunks: readonly HunkView[], wanted: readonly HunkView[]): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = wanted.map(hunk => hunk.id);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!found.has(id)) {
      found.add(id);
      waiting.push(...(hunks.find(hunk => hunk.id === id)?.needs ?? []));
    }
  }
  return found;
}

/** The ids of a hunk and of all that cannot be without it. */
function leaning(hunks: readonly HunkView[], id: string): ReadonlySet<string> {
  return new Set(hunks.filter(hunk => withNeeds(hunks, [hunk]).has(id)).map(hunk => hunk.id));
}
