import type { ReactElement } from 'react';

import { nodeOf } from '../flow/lookup';
import type { Person, State } from '../flow/session';
import { Literal, spelled } from '../literal';
import type { Actions } from './actions';
import { useEditor } from './editor';
import { Icon } from './icons';
import { Problems } from './problems';

interface ToolbarProps {
  readonly state: State;
  readonly actions: Actions;
  readonly onFit: () => void;
  readonly onFind: () => void;
  readonly onKeys: () => void;
  readonly onVersions: () => void;
  readonly onCode: () => void;
  readonly onRun: () => void;
  readonly busy: boolean;
  /** Ends the run, where nothing else beside the canvas offers it. */
  readonly onStop: (() => void) | null;
  readonly problems: { readonly open: boolean; readonly setOpen: (open: boolean) => void };
}

/** The bar above the canvas: where one is, what one can do, and whether all is kept. */
export function Toolbar(props: ToolbarProps): ReactElement {
  const { view, session, t, live } = useEditor();
  const { path, version, origin } = view.flow;
  const [library, name] = parted(path);
  return (
    <div className="psl-bar" role="toolbar" aria-label={t('Flow')}>
      <span className="psl-path" title={spelled(path)}>
        {library && (
          <span className="psl-muted">
            <Literal text={library} />/
          </span>
        )}
        <b>
          <Literal text={name} />
        </b>
      </span>
      <button
        type="button"
        className="psl-tool psl-version"
        title={t('Versions: compare, go back')}
        onClick={props.onVersions}
      >
        <Icon name="history" size={14} />
        {version ? t('v%1', version) : t('no version yet')}
      </button>
      {origin && (
        <button
          type="button"
          className="psl-tool psl-origin"
          title={t('Merge back, or look at what it was forked from')}
          onClick={props.onVersions}
        >
          <Icon name="fork" size={14} />
          <span className="psl-wordy">
            {t('forked from')} <Literal text={origin.path ?? t('an archived flow')} />{' '}
            {t('v%1', origin.version)}
          </span>
        </button>
      )}
      <button
        type="button"
        className={`psl-button psl-run-button${props.busy ? ' psl-busy-run' : ''}`}
        title={t('Run (R)')}
        onClick={props.onRun}
      >
        <Icon name={props.busy ? 'running' : 'play'} size={14} />
        <span>{props.busy ? t('Running…') : t('Run')}</span>
      </button>
      {props.onStop && <Tool icon="stop" name={t('Stop')} keys="" run={props.onStop} />}
      <span className="psl-space" />
      <People people={props.state.people} />
      <Tool
        icon="undo"
        name={t('Undo')}
        keys="Ctrl+Z"
        off={!live}
        run={() => void session.undo()}
      />
      <Tool
        icon="redo"
        name={t('Redo')}
        keys="Ctrl+Shift+Z"
        off={!live}
        run={() => void session.redo()}
      />
      <span className="psl-rule" />
      <Tool icon="tidy" name={t('Tidy')} keys="T" off={!live} run={props.actions.tidy} />
      <Tool icon="fit" name={t('Fit the flow into view')} keys="F" run={props.onFit} />
      <Tool icon="search" name={t('Find a node')} keys="Ctrl+F" run={props.onFind} />
      <Tool icon="code" name={t('The flow as code')} keys="" run={props.onCode} />
      <Tool icon="keys" name={t('Keys')} keys="?" run={props.onKeys} />
      <span className="psl-rule" />
      {view.nodes.length > 0 && (
        // Before anything has been drawn nobody is to blame for that.
        <>
          <Problems {...props.problems} />
          <span className="psl-rule" />
        </>
      )}
      <Kept state={props.state} />
    </div>
  );
}

/** Who else has edited lately; a click leads to what they touched. */
function People({ people }: { people: readonly Person[] }): ReactElement | null {
  const { view, t, inspect } = useEditor();
  if (!people.length) {
    return null;
  }
  return (
    <span className="psl-people">
      {people.slice(0, 4).map(({ client, name, node }) => {
        const at = nodeOf(view, node);
        const who = spelled(name);
        const where = at ? t('%1 has just edited %2', who, at.key) : t('%1 edits here', who);
        return (
          <button
            key={client}
            type="button"
            className="psl-person"
            title={where}
            aria-label={where}
            disabled={!at}
            onClick={() => at && inspect(at.id)}
          >
            {who.slice(0, 2)}
          </button>
        );
      })}
    </span>
  );
}

interface ToolProps {
  readonly icon: string;
  readonly name: string;
  readonly keys: string;
  readonly off?: boolean;
  readonly run: () => void;
}

function Tool({ icon, name, keys, off, run }: ToolProps): ReactElement {
  return (
    <button
      type="button"
      className="psl-tool"
      title={keys ? `${name} (${keys})` : name}
      aria-label={name}
      disabled={off}
      onClick={run}
    >
      <Icon name={icon} />
    </button>
  );
}

function Kept({ state }: { state: State }): ReactElement {
  const { view, t, surface } = useEditor();
  const text =
    state.status === 'dead'
      ? t('read only')
      : state.status === 'slow'
        ? surface === 'cell'
          ? t('waiting for the kernel…')
          : t('waiting for the server…')
        : state.saving
          ? t('saving…')
          : t('all changes saved');
  return (
    <span
      className={`psl-kept psl-kept-${state.status}`}
      role="status"
      title={t('edit %1', view.seq)}
    >
      <span className={`psl-dot${state.saving || state.status === 'slow' ? ' psl-busy' : ''}`} />
      <span className="psl-wordy">{text}</span>
    </span>
  );
}

function parted(path: string): [string, string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, Math.max(at, 0)), path.slice(at + 1)];
}
