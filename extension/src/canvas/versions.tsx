import { useCallback, useEffect, useState, type ReactElement } from 'react';

import type { DifferenceView, VersionView } from '../flow/types';
import { Literal } from '../literal';
import { useEditor } from './editor';
import { Fork } from './fork';
import { Icon } from './icons';
import { Labels, standing, Told, type Moved } from './labels';
import { Lines } from './lines';
import { Merge } from './merge';
import { useOften } from './often';

interface VersionsProps {
  readonly onClose: () => void;
  /** Show on the canvas what differs; null to stop. */
  readonly onPaint: (difference: DifferenceView | null) => void;
}

/** The saved versions of the flow: what differs since, painted on the canvas; and the way back. */
export function Versions({ onClose, onPaint }: VersionsProps): ReactElement {
  const { view, session, t, live } = useEditor();
  const [versions, setVersions] = useState<readonly VersionView[] | null>(null);
  const [compared, setCompared] = useState<number | null>(null);
  const [difference, setDifference] = useState<DifferenceView | null>(null);
  const { seq } = view;
  const { version } = view.flow;
  const [moved, setMoved] = useState<Moved | null>(null);
  const look = useCallback(async () => {
    const found = await session.question<VersionView[]>({ do: 'ask', about: 'versions' }, 'silent');
    setVersions(before => found ?? before ?? []);
  }, [session]);
  useEffect(() => {
    void look();
  }, [look, version, seq]);
  useOften(look, live);
  const place = useCallback(
    async (name: string, to: number | null) => {
      const from = standing(versions ?? [], name);
      if ((await session.label(name, to)) === null) {
        setMoved({ name, from, to });
        await look();
      }
    },
    [look, session, versions]
  );
  const compare = useCallback(
    async (wanted: number | null) => {
      setCompared(wanted);
      const found =
        wanted === null
          ? null
          : await session.question<DifferenceView>({
              do: 'ask',
              about: 'difference',
              version: wanted
            });
      setDifference(found);
      onPaint(found);
    },
    [onPaint, session]
  );
  useEffect(() => {
    if (compared !== null) {
      void compare(compared);
    }
    // Only what others or oneself have edited makes it another difference.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [seq]);
  useEffect(() => () => onPaint(null), [onPaint]);
  return (
    <aside className="psl-inspector psl-versions" aria-label={t('Versions')}>
      <header>
        <span className="psl-tile">
          <Icon name="history" />
        </span>
        <span className="psl-inspector-title">
          <b>{t('Versions')}</b>
          <span className="psl-muted">{t('Kept for good: runs and experiments name them.')}</span>
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
        <button
          type="button"
          className="psl-button"
          disabled={!live}
          onClick={() => void session.save()}
        >
          {t('Save a version')}
        </button>
        {view.flow.origin && <Merge origin={view.flow.origin} />}
        {moved && <Told moved={moved} onPlace={place} />}
        {versions?.length === 0 && (
          <p className="psl-hint">{t('No version yet. A run saves one by itself.')}</p>
        )}
        <ol className="psl-version-list">
          {versions?.map(one => (
            <li key={one.version}>
              <button
                type="button"
                className="psl-version-row"
                aria-pressed={compared === one.version}
                onClick={() => void compare(compared === one.version ? null : one.version)}
              >
                <b>{t('v%1', one.version)}</b>
                <span className="psl-muted">
                  <Literal text={one.by} /> · {when(one.at)}
                </span>
                <span className="psl-tags">
                  {one.labels.map(label => (
                    <span key={label} className="psl-tag psl-label-tag">
                      {label}
                    </span>
                  ))}
                  {one.current && (
                    <span className="psl-tag psl-current-tag">{t('as it stands')}</span>
                  )}
                </span>
              </button>
              {compared === one.version && difference && (
                <div className="psl-difference">
                  {difference.same && !difference.lines.some(line => line.startsWith('moved')) ? (
                    <span className="psl-hint">
                      {t('Nothing differs from the flow as it stands.')}
                    </span>
                  ) : (
                    <Lines lines={difference.lines} />
                  )}
                  <Labels version={one} versions={versions} onPlace={place} />
                  {!one.current && (
                    <button
                      type="button"
                      className="psl-link"
                      disabled={!live}
                      onClick={() => void session.restore(one.version)}
                    >
                      <Icon name="undo" size={14} />
                      {t('Make it the flow again')}
                    </button>
                  )}
                  <Fork version={one.version} />
                </div>
              )}
            </li>
          ))}
        </ol>
      </div>
    </aside>
  );
}

function when(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime())
    ? at
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
