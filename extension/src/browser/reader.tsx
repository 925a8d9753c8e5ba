import { Clipboard } from '@jupyterlab/apputils';
import { closeIcon, copyIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { useState, type ReactElement } from 'react';

import type { TemplateVersion } from '../api/types';
import { Literal } from '../literal';
import type { Reading } from './model';

interface ReaderProps {
  readonly reading: Reading;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}

/** A template's text, newest first, to look at and to copy. */
export function Reader({ reading, trans, onClose }: ReaderProps): ReactElement {
  const [chosen, setChosen] = useState<{ id: string; version: number } | null>(null);
  const versions = reading.template?.versions ?? [];
  const wanted = chosen?.id === reading.id ? chosen.version : versions[0]?.version;
  const version = versions.find(one => one.version === wanted);
  return (
    <section
      className="pslb-reader"
      aria-label={trans.__('Template %1', reading.path)}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onClose();
        }
      }}
    >
      <header>
        <b title={reading.path}>
          <Literal text={reading.path.split('/').at(-1) ?? reading.path} />
        </b>
        {versions.length > 0 && (
          <select
            aria-label={trans.__('Version')}
            value={wanted}
            onChange={event => {
              setChosen({ id: reading.id, version: Number(event.target.value) });
            }}
          >
            {versions.map(one => (
              <option key={one.version} value={one.version}>
                v{one.version}
              </option>
            ))}
          </select>
        )}
        <button
          type="button"
          title={trans.__('Copy the text')}
          disabled={!version}
          onClick={() => {
            Clipboard.copyToSystem(version?.text ?? '');
          }}
        >
          <copyIcon.react tag="span" width={16} height={16} />
        </button>
        <button type="button" title={trans.__('Close')} onClick={onClose}>
          <closeIcon.react tag="span" width={16} height={16} />
        </button>
      </header>
      {reading.failure && <p role="alert">{reading.failure.message}</p>}
      {version && <Text version={version} />}
    </section>
  );
}

function Text({ version }: { version: TemplateVersion }): ReactElement {
  const made = new Date(version.created_at).toLocaleDateString();
  return (
    <>
      <p className="pslb-about">
        <Literal text={version.created_by} />
        {' · '}
        {made}
        {version.note && (
          <>
            {' · '}
            <Literal text={version.note} />
          </>
        )}
      </p>
      <pre tabIndex={0} dir="ltr">
        <Literal text={version.text} />
      </pre>
    </>
  );
}
