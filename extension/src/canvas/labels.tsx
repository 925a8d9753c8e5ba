import { useState, type ReactElement } from 'react';

import type { VersionView } from '../flow/types';
import { useEditor } from './editor';
import { Icon } from './icons';

const USUAL = 'production';

/** Where a label was put last, and where it had stood; null is nowhere. */
export interface Moved {
  readonly name: string;
  readonly from: number | null;
  readonly to: number | null;
}

/** Let a label name a version, or none. */
type Place = (name: string, to: number | null) => Promise<void>;

/** The version that a label names, or null. */
export function standing(versions: readonly VersionView[], name: string): number | null {
  return versions.find(one => one.labels.includes(name))?.version ?? null;
}

interface LabelsProps {
  readonly version: VersionView;
  readonly versions: readonly VersionView[];
  readonly onPlace: Place;
}

/** The names of a version: each can be taken off, and a new one put on or moved here. */
export function Labels({ version, versions, onPlace }: LabelsProps): ReactElement {
  const { t, live } = useEditor();
  const [typed, setTyped] = useState(USUAL);
  const name = typed.trim();
  const at = standing(versions, name);
  const offer =
    at === null
      ? t('Label v%1', version.version)
      : at === version.version
        ? t('Names v%1', at)
        : t('Move from v%1', at);
  return (
    <div className="psl-labels">
      {version.labels.map(label => (
        <span key={label} className="psl-name-chip psl-code">
          <Icon name="tag" size={12} />
          {label}
          <button
            type="button"
            aria-label={t('Take the label %1 off v%2', label, version.version)}
            title={t('Take it off: what refers to it then finds nothing')}
            disabled={!live}
            onClick={() => void onPlace(label, null)}
          >
            <Icon name="close" size={10} />
          </button>
        </span>
      ))}
      <form
        className="psl-labelling"
        onSubmit={event => {
          event.preventDefault();
          void onPlace(name, version.version);
        }}
      >
        <input
          className="psl-code"
          aria-label={t('Label')}
          title={t('Code refers to it: lab.flow("library/name@label")')}
          value={typed}
          maxLength={64}
          spellCheck={false}
          autoComplete="off"
          disabled={!live}
          onChange={event => setTyped(event.target.value)}
        />
        <button
          type="submit"
          className="psl-button psl-quiet"
          disabled={!live || !name || at === version.version}
        >
          {offer}
        </button>
      </form>
    </div>
  );
}

/** What has just become of a label, and the way back. */
export function Told({ moved, onPlace }: { moved: Moved; onPlace: Place }): ReactElement {
  const { t, live } = useEditor();
  const { name, from, to } = moved;
  const words =
    to === null
      ? t('%1 named v%2, and names nothing now.', name, from ?? '')
      : from === null
        ? t('%1 names v%2 now.', name, to)
        : t('%1 went from v%2 to v%3 at once.', name, from, to);
  return (
    <div className="psl-told" role="status">
      <span>{words}</span>
      <button
        type="button"
        className="psl-link"
        disabled={!live}
        onClick={() => void onPlace(name, from)}
      >
        <Icon name="undo" size={14} />
        {t('Undo')}
      </button>
    </div>
  );
}
