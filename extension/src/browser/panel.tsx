import { Clipboard } from '@jupyterlab/apputils';
import {
  addIcon,
  copyIcon,
  ReactWidget,
  refreshIcon,
  UseSignal,
  userIcon
} from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import type { ReactElement } from 'react';

import type { LabError } from '../api/errors';
import type { Status } from '../api/types';
import { flowIcon, warehouseIcon } from '../icons';
import { Literal } from '../literal';
import type { BrowserModel } from './model';
import { shortName, shortPaths } from './places';
import { Questions } from './questions';
import { Reader } from './reader';
import { isEmpty, type Row } from './rows';
import { Tree } from './tree';

const ASK_EVERY_MS = 3000;

/** What the sidebar asks others to do. */
export interface Actions {
  open(row: Row): void;
  create(): void;
}

/** The sidebar. It asks the server when it is first seen, and again whenever one comes back. */
export class BrowserPanel extends ReactWidget {
  constructor(
    private readonly model: BrowserModel,
    private readonly actions: Actions,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.id = 'promptstudio-browser';
    this.addClass('psl-browser');
    this.title.icon = flowIcon;
    this.title.caption = trans.__('PromptStudio');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
    window.addEventListener('focus', this.onFocus);
    this.asking = window.setInterval(() => {
      if (this.isVisible && !document.hidden) {
        void this.model.refreshQuestions();
      }
    }, ASK_EVERY_MS);
  }

  override dispose(): void {
    window.removeEventListener('focus', this.onFocus);
    window.clearInterval(this.asking);
    super.dispose();
  }

  protected override render(): ReactElement {
    return (
      <UseSignal signal={this.model.changed}>
        {() => <Browser model={this.model} actions={this.actions} trans={this.trans} />}
      </UseSignal>
    );
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this.model.refresh();
  }

  protected override onActivateRequest(): void {
    this.node.querySelector<HTMLElement>('[role=treeitem][tabindex="0"], input')?.focus();
  }

  private readonly asking: number;

  private readonly onFocus = (): void => {
    if (this.isVisible) {
      void this.model.refresh();
    }
  };
}

interface Parts {
  readonly model: BrowserModel;
  readonly actions: Actions;
  readonly trans: TranslationBundle;
}

function Browser({ model, actions, trans }: Parts): ReactElement {
  const { state } = model;
  return (
    <>
      <Toolbar model={model} actions={actions} trans={trans} />
      {state.failure && (
        <Failure
          failure={state.failure}
          isBusy={state.isLoading}
          trans={trans}
          onRetry={() => void model.refresh()}
        />
      )}
      <div
        className="pslb-contents"
        data-stale={state.failure !== null}
        aria-busy={state.isLoading}
      >
        <Contents model={model} actions={actions} trans={trans} />
      </div>
      <Questions model={model} trans={trans} />
      {state.reading && (
        <Reader reading={state.reading} trans={trans} onClose={() => model.stopReading()} />
      )}
      {state.status && <Footer status={state.status} trans={trans} />}
    </>
  );
}

function Toolbar({ model, actions, trans }: Parts): ReactElement {
  return (
    <div className="pslb-bar">
      <input
        type="search"
        className="pslb-search"
        placeholder={trans.__('Search')}
        aria-label={trans.__('Search flows and templates')}
        value={model.state.query}
        onChange={event => model.search(event.target.value)}
      />
      <button type="button" title={trans.__('New flow')} onClick={() => actions.create()}>
        <addIcon.react tag="span" width={16} height={16} />
      </button>
      <button type="button" title={trans.__('Refresh')} onClick={() => void model.refresh()}>
        <refreshIcon.react tag="span" width={16} height={16} />
      </button>
    </div>
  );
}

function Contents({ model, actions, trans }: Parts): ReactElement | null {
  const { tree, query, selected, failure } = model.state;
  if (!tree) {
    return failure ? null : (
      <p className="pslb-hint pslb-late">{trans.__('Reading the warehouse…')}</p>
    );
  }
  if (isEmpty(tree)) {
    return <Invitation actions={actions} trans={trans} />;
  }
  const rows = model.rows;
  if (!rows.length) {
    return (
      <p className="pslb-hint" role="status">
        {trans.__('Nothing is called “%1”.', query)}
      </p>
    );
  }
  return (
    <Tree
      model={model}
      rows={rows}
      selected={selected}
      trans={trans}
      onOpen={row => actions.open(row)}
    />
  );
}

/** What makes the first flow; shown where there is none, and short enough for a sidebar. */
const FIRST_CELL = [
  'import promptstudio_lab as ps',
  '',
  'lab = ps.connect()',
  'f = lab.flow("greeting")',
  'name = f.input("name")',
  'hello = f.prompt("hello",',
  '  prompt="Hi {{ name }}!",',
  '  name=name)',
  'f.output(greeting=hello)',
  'f.edit()'
].join('\n');

function Invitation({ actions, trans }: Omit<Parts, 'model'>): ReactElement {
  return (
    <div className="pslb-invite">
      <flowIcon.react
        tag="span"
        className="pslb-emblem"
        width={32}
        height={32}
        aria-hidden="true"
      />
      <b>{trans.__('No flows yet')}</b>
      <p>{trans.__('Draw one, or run this in a notebook cell:')}</p>
      <pre tabIndex={0}>{FIRST_CELL}</pre>
      <div className="pslb-actions">
        <button type="button" className="pslb-main" onClick={() => actions.create()}>
          {trans.__('New flow')}
        </button>
        <button
          type="button"
          className="pslb-second"
          onClick={() => Clipboard.copyToSystem(FIRST_CELL)}
        >
          <copyIcon.react tag="span" width={16} height={16} />
          {trans.__('Copy the cell')}
        </button>
      </div>
    </div>
  );
}

interface FailureProps {
  readonly failure: LabError;
  readonly isBusy: boolean;
  readonly trans: TranslationBundle;
  readonly onRetry: () => void;
}

function Failure({ failure, isBusy, trans, onRetry }: FailureProps): ReactElement {
  const [title, advice] = explained(failure, trans);
  return (
    <div className="pslb-wrong" role="alert">
      <b>{title}</b>
      <p>
        <Literal text={failure.message} />
      </p>
      {advice && <p>{advice}</p>}
      <button type="button" className="pslb-main" disabled={isBusy} onClick={onRetry}>
        {trans.__('Try again')}
      </button>
    </div>
  );
}

/** What a failure means, and what one can do about it. */
function explained(failure: LabError, trans: TranslationBundle): [string, string] {
  switch (failure.code) {
    case 'Unreachable':
      return [
        trans.__('The server is away'),
        trans.__('Start it again, or check the connection. Nothing here is lost.')
      ];
    case 'NotInstalled':
      return [
        trans.__('The server part is missing'),
        trans.__(
          'Install promptstudio-lab where Jupyter runs, then restart it: jupyter server extension enable promptstudio_lab.server'
        )
      ];
    case 'Forbidden':
    case 'AccessDenied':
      return [trans.__('You may not look here'), trans.__('Ask whoever runs this server.')];
    case 'WarehouseUnavailable':
    case 'SchemaMismatch':
    case 'SettingsError':
      return [
        trans.__('The warehouse cannot be opened'),
        trans.__('promptstudio doctor, in a terminal, says what it stands on.')
      ];
    default:
      return [trans.__('The warehouse cannot be shown'), ''];
  }
}

function Footer({ status, trans }: { status: Status; trans: TranslationBundle }): ReactElement {
  const { warehouse, user, lab, version } = status;
  const why = trans.__('chosen by %1', warehouse.why);
  return (
    <footer className="pslb-foot">
      <warehouseIcon.react tag="span" width={16} height={16} aria-hidden="true" />
      <span title={`${warehouse.url}\n${trans.__('id %1', warehouse.id)}`}>
        <b>
          <Literal text={shortName(warehouse.url)} />
        </b>
        {' · '}
        {warehouse.dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL'}
      </span>
      <span className="pslb-why" title={why}>
        <Literal text={shortPaths(why)} />
      </span>
      <userIcon.react tag="span" width={16} height={16} aria-hidden="true" />
      <span title={trans.__('PromptStudio Lab %1', version)}>
        <Literal text={user.name} />
        {' · '}
        <Literal text={trans.__('lab %1', lab.name)} />
      </span>
    </footer>
  );
}
