import { MainAreaWidget } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Client } from '../api/client';
import { mount, type Translate } from '../canvas';
import { newId } from '../flow/ids';
import { flowIcon } from '../icons';
import { spelled } from '../literal';
import type { OpenFlowArgs } from '../tokens';
import { RestHost } from './host';

/** The canvas of one flow. It is put in when the tab is first seen: before, it has no size. */
export class FlowPanel extends Widget {
  constructor(
    client: Client,
    readonly flow: OpenFlowArgs,
    private readonly t: Translate,
    show: (flow: OpenFlowArgs) => void
  ) {
    super();
    this.addClass('psl-tab');
    // It has the keys until its canvas is there, which then takes them.
    this.node.tabIndex = -1;
    this.host = new RestHost(client, flow, () => this.isVisible, newId(), show);
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.leave?.();
    this.host.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.show_();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this.show_();
    }
  }

  protected override onActivateRequest(): void {
    const canvas = this.node.querySelector('.psl-desk');
    (canvas instanceof HTMLElement ? canvas : this.node).focus({ preventScroll: true });
  }

  private show_(): void {
    this.leave ??= mount(this.node, this.host, this.t);
    this.host.refresh();
  }

  private readonly host: RestHost;
  private leave: (() => void) | undefined;
}

/** A tab of the main area with a flow in it. */
export function flowTab(
  client: Client,
  flow: OpenFlowArgs,
  t: Translate,
  show: (flow: OpenFlowArgs) => void
): MainAreaWidget<FlowPanel> {
  const tab = new MainAreaWidget({ content: new FlowPanel(client, flow, t, show) });
  tab.id = tabId(flow);
  tab.toolbar.hide(); // the canvas has its own
  tab.title.label = spelled(flow.path.split('/').at(-1) ?? flow.path);
  tab.title.caption = spelled(flow.path);
  tab.title.icon = flowIcon;
  tab.title.closable = true;
  return tab;
}

/** One tab a flow, wherever it was opened from. */
export function tabId(flow: OpenFlowArgs): string {
  return `promptstudio-flow-${flow.id}`;
}
