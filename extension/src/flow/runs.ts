import type { Session } from './session';
import type {
  EdgeView,
  HeatView,
  JsonObject,
  NodeHeat,
  NodeRun,
  NodeView,
  RunNews,
  RunView,
  View
} from './types';

/** By what nodes are coloured. */
export type Measure = 'cost' | 'latency' | 'errors';

/** Nodes coloured by a measure, over the flow's runs or with one variant against another. */
export interface Heat {
  readonly by: Measure;
  readonly runs: number;
  /** The largest value on the scale. */
  readonly most: number;
  readonly nodes: ReadonlyMap<string, Hot>;
  /** The names of the variants, if two are compared. */
  readonly sides: readonly [string, string] | null;
}

export interface Hot {
  readonly value: number | null;
  /** The same under the other variant. */
  readonly other: number | null;
  /** From 0 to 1, or from −1 (the other is lower) to 1 (it is higher) where two are compared. */
  readonly share: number;
}

export interface RunsState {
  /** The run that is painted, if one is. */
  readonly shown: RunView | null;
  /** The run that goes on, once it is known. */
  readonly live: string | null;
  /** Between the wish to run and its beginning. */
  readonly starting: boolean;
  /** What models say just now, by the whole name of their node. */
  readonly texts: ReadonlyMap<string, string>;
  readonly heat: Heat | null;
}

/** How a node stands in the run that is painted. */
export type Standing =
  'running' | 'waiting' | 'succeeded' | 'cached' | 'skipped' | 'failed' | 'cancelled';

const SOON_MS = 250;
const LATER_MS = 2000;
const PATIENCE = 40;
const SAID = 400;
const NOTHING: ReadonlyMap<string, string> = new Map();

/** The runs of one canvas: one may go on, one is painted.  */
export class Runs {
  constructor(private readonly session: Session) {
    this.deaf = session.onRun(news => this.hear(news));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly state = (): RunsState => this.current;

  /** Run the flow, or up to a node; false if it cannot, and the reason has been told. */
  async begin(inputs: JsonObject, until: string | null): Promise<boolean> {
    this.session.hush();
    this.set({ starting: true, heat: null });
    const found = await this.session.question<{ run: string }>({ do: 'run', inputs, until });
    this.set({ starting: false, texts: NOTHING });
    if (!found) {
      return false;
    }
    this.behind = null;
    this.set({ live: found.run, shown: null });
    this.later(SOON_MS);
    return true;
  }

  async stop(): Promise<void> {
    const { live } = this.current;
    if (live !== null) {
      await this.session.question({ do: 'stop', run: live });
      await this.look();
    }
  }

  /** Paint a run; none with null. */
  async show(run: string | null): Promise<void> {
    this.wanted = run;
    this.behind = null;
    if (run === null) {
      this.set({ shown: null });
      return;
    }
    const found = await this.session.question<RunView>({ do: 'ask', about: 'run', run });
    if (this.wanted === run) {
      this.set({ shown: found, heat: null });
    }
  }

  /** Colour the nodes by a measure, of all runs or of two variants; not at all with null. */
  async warm(
    by: Measure | null,
    sides: readonly [{ id: string; name: string }, { id: string; name: string }] | null = null
  ): Promise<void> {
    if (by === null) {
      this.set({ heat: null });
      if (this.behind !== null) {
        await this.show(this.behind);
      }
      return;
    }
    const [one, other] = await Promise.all(
      (sides ?? [null]).map(side =>
        this.session.question<HeatView>({ do: 'ask', about: 'heat', variant: side?.id ?? null })
      )
    );
    if (one) {
      const names = sides ? ([sides[0].name, sides[1].name] as const) : null;
      this.wanted = null;
      this.behind = this.current.shown?.run ?? this.behind;
      this.set({ heat: heated(by, one, other ?? null, names), shown: null });
    }
  }

  dispose(): void {
    this.deaf();
    clearTimeout(this.timer);
    this.listeners.clear();
    this.gone = true;
  }

  /** Ask how the run that goes on stands, until it is over. */
  private async look(): Promise<void> {
    clearTimeout(this.timer);
    const { live } = this.current;
    if (live === null || this.gone) {
      return;
    }
    const found = await this.session.question<RunView>(
      { do: 'ask', about: 'run', run: live },
      'silent'
    );
    if (this.current.live !== live) {
      return;
    }
    // It may not be written down yet; a line that is gone for longer says so itself.
    this.missed = found ? 0 : this.missed + 1;
    const isOver = (found !== null && isEnded(found)) || this.missed > PATIENCE;
    this.wanted = live;
    const texts = found?.texts ? new Map(Object.entries(found.texts)) : this.current.texts;
    this.set({ shown: found ?? this.current.shown, live: isOver ? null : live, texts });
    // What is run is kept as a version first.
    if (found && found.version > (this.session.state().view?.flow.version ?? 0)) {
      this.session.saved(found.version);
    }
    if (!isOver) {
      const isAsking = Object.values(found?.under_way ?? {}).includes('waiting');
      this.later(isAsking ? LATER_MS : SOON_MS);
    }
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), ms);
  }

  private hear(news: RunNews): void {
    if ('ended' in news) {
      if (news.reason !== null && news.reason !== 'stopped') {
        this.session.tell(news.reason);
      }
      if (news.ended === this.current.live) {
        void this.look();
      }
      return;
    }
    if (news.said.run === this.current.live) {
      const texts = new Map(this.current.texts);
      for (const [name, text] of Object.entries(news.said.texts)) {
        texts.set(name, ((texts.get(name) ?? '') + text).slice(-SAID));
      }
      this.set({ texts });
    }
  }

  private set(more: Partial<RunsState>): void {
    this.current = { ...this.current, ...more };
    this.listeners.forEach(listener => listener());
  }

  private current: RunsState = {
    shown: null,
    live: null,
    starting: false,
    texts: NOTHING,
    heat: null
  };
  private wanted: string | null = null;
  /** The run that was painted before the nodes were coloured: it comes back afterwards. */
  private behind: string | null = null;
  private missed = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private gone = false;
  private readonly deaf: () => void;
  private readonly listeners = new Set<() => void>();
}

/** Whether nothing more happens to a run by itself or by a person. */
export function isEnded(run: RunView): boolean {
  return run.status !== 'running' && run.status !== 'waiting';
}

/** How a node stands in a run; null where nothing can be said. */
export function standing(view: View, run: RunView, node: NodeView): Standing | null {
  const found = run.nodes[node.id];
  const under = run.under_way[node.id];
  if (under !== undefined) {
    return under === 'waiting' ? 'waiting' : 'running';
  }
  if (found) {
    return found.cached && found.status === 'succeeded' ? 'cached' : (found.status as Standing);
  }
  if (isEnded(run)) {
    // Up to a node, or behind a failure: it was none of this run's.
    return node.parent === null ? 'skipped' : null;
  }
  const inside = view.nodes.filter(other => other.parent === node.id);
  return inside.some(other => run.nodes[other.id] ?? run.under_way[other.id]) ? 'running' : null;
}

/** A node that ran, and how deep it lies in bodies. */
export interface Step {
  readonly node: NodeView;
  readonly did: NodeRun;
  readonly depth: number;
}

/** What ran, in the order of its beginning; what lies in a body comes after what holds it. */
export function stepsOf(view: View, run: RunView): readonly Step[] {
  const inside = (parent: string | null, depth: number): Step[] =>
    view.nodes
      .flatMap(node => {
        const did = node.parent === parent ? run.nodes[node.id] : undefined;
        return did && did.status !== 'skipped' ? [{ node, did, depth }] : [];
      })
      .sort((one, other) => one.did.began_ms - other.did.began_ms)
      .flatMap(step => [step, ...inside(step.node.id, depth + 1)]);
  return inside(null, 0);
}

/**
 * Whether something went over an edge in a run: `taken`, `coming` while what it leads to runs, or
 * `idle` where all is over and nothing did; null while nothing can be said.
 */
export function passage(run: RunView, edge: EdgeView): 'taken' | 'coming' | 'idle' | null {
  const [source, target] = [run.nodes[edge.source], run.nodes[edge.target]];
  if (source?.status === 'succeeded' && run.under_way[edge.target] !== undefined) {
    return 'coming';
  }
  if (source?.status === 'succeeded' && target && target.status !== 'skipped') {
    return 'taken';
  }
  return isEnded(run) ? 'idle' : null;
}

/** The whole name of a node, as Python tells it: with those of what it lies in. */
export function nameOf(view: View, node: NodeView): string {
  const parent = view.nodes.find(other => other.id === node.parent);
  return parent ? `${nameOf(view, parent)}/${node.key}` : node.key;
}

/** What a node cost and took, in the one measure. */
function measured(by: Measure, node: NodeHeat | undefined): number | null {
  if (!node) {
    return null;
  }
  return { cost: node.cost_usd, latency: node.latency_ms, errors: node.errors }[by];
}

export function heated(
  by: Measure,
  one: HeatView,
  other: HeatView | null,
  sides: readonly [string, string] | null
): Heat {
  const ids = new Set([...Object.keys(one.nodes), ...Object.keys(other?.nodes ?? {})]);
  const values = [...ids].map(id => ({
    id,
    value: measured(by, one.nodes[id]),
    other: other ? measured(by, other.nodes[id]) : null
  }));
  const most = Math.max(0, ...values.flatMap(each => [each.value ?? 0, each.other ?? 0]));
  const nodes = values.map(({ id, ...each }): [string, Hot] => {
    if (!other) {
      return [id, { ...each, share: most > 0 ? (each.value ?? 0) / most : 0 }];
    }
    const larger = Math.max(each.value ?? 0, each.other ?? 0);
    const change = (each.other ?? 0) - (each.value ?? 0);
    return [id, { ...each, share: larger > 0 ? change / larger : 0 }];
  });
  return { by, runs: one.runs + (other?.runs ?? 0), most, nodes: new Map(nodes), sides };
}
