/** The words of the protocol between a canvas and Python, which is the authority. */

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type JsonObject = Record<string, Json>;

/** A JSON Schema, as far as a form is drawn from it. */
export interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly Json[];
  readonly default?: Json;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly exclusiveMinimum?: number;
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

export interface KindView {
  readonly name: string;
  readonly version: number;
  readonly title: string;
  readonly summary: string;
  readonly category: string;
  readonly icon: string;
  readonly accent: string;
  /** Whether other nodes can lie inside it. */
  readonly container: boolean;
  readonly schema: Schema;
  /** The types that a fresh node of it takes, and gives. */
  readonly takes: readonly string[];
  readonly gives: readonly string[];
}

export interface InputView {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly many: boolean;
}

export interface OutputView {
  readonly name: string;
  readonly type: string;
}

export interface NodeView {
  readonly id: string;
  readonly key: string;
  readonly kind: string;
  /** The container whose body it belongs to; places count from its corner. */
  readonly parent: string | null;
  readonly config: JsonObject;
  readonly policy: JsonObject;
  readonly x: number;
  readonly y: number;
  readonly headline: string;
  /** The text of the prompt, wherever it is kept; null where there is none or it is not known. */
  readonly prompt: string | null;
  readonly inputs: readonly InputView[];
  readonly outputs: readonly OutputView[];
  /** Whether it may have inputs that cannot be known now. */
  readonly open: boolean;
}

export interface EdgeView {
  readonly id: string;
  readonly source: string;
  readonly source_port: string;
  readonly source_path: string;
  readonly target: string;
  readonly target_port: string;
}

export interface ProblemView {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly node: string | null;
  readonly key: string | null;
  readonly pointer: string;
  readonly message: string;
  /** The edits that mend it; empty where a person must think. */
  readonly mend: readonly Edit[];
}

/** Both wrote the same; the one who came last sees what the other had written. */
export interface ConflictView {
  readonly id: string;
  readonly field: string;
  readonly by: string;
  /** The settings in question, where the field has some. */
  readonly names: readonly string[];
  readonly theirs: Json;
  readonly mine: Json;
}

/** What another view did last. */
export interface OtherView {
  readonly client: string;
  readonly name: string;
  readonly type: string;
  readonly nodes: readonly string[];
}

/** Why a value of the first type does not fit the second, or null where it does. */
export type TypeMatrix = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

export interface OriginView {
  readonly id: string;
  /** Null once it has been archived. */
  readonly path: string | null;
  readonly version: number;
}

export interface View {
  readonly warehouse: string;
  readonly flow: {
    readonly id: string;
    readonly path: string;
    readonly version: number;
    /** Where a fork came from; null for a flow that is no fork. */
    readonly origin: OriginView | null;
  };
  /** Who looks. */
  readonly me: string;
  readonly seq: number;
  readonly kinds: readonly KindView[];
  readonly types: TypeMatrix;
  readonly nodes: readonly NodeView[];
  readonly edges: readonly EdgeView[];
  readonly problems: readonly ProblemView[];
  /** Tells these problems from others. */
  readonly problems_tag: string;
}

export interface Change {
  readonly seq: number;
  readonly nodes: readonly NodeView[];
  readonly edges: readonly EdgeView[];
  readonly gone_nodes: readonly string[];
  readonly gone_edges: readonly string[];
  /** Null if they are those that the view has, by the tag that it sent. */
  readonly problems: readonly ProblemView[] | null;
  readonly problems_tag: string;
  readonly conflicts: readonly ConflictView[];
  readonly by: readonly OtherView[];
  readonly superseded: readonly string[];
}

/** What others did: the change itself, or only the sequence that the flow has reached. */
export type Whatever = Change | { readonly seq: number } | RunNews;

/** What a run that goes on in the kernel tells: pieces of answers by node name, and its end. */
export type RunNews =
  | { readonly said: { readonly run: string; readonly texts: Readonly<Record<string, string>> } }
  | { readonly ended: string; readonly reason: string | null };

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** Where a node is put; with a parent, into which body. */
export interface Put extends Place {
  readonly parent?: string | null;
}

interface Added extends Place {
  readonly node: string;
  readonly kind: string;
  readonly key?: string;
  readonly config?: JsonObject;
  readonly policy?: JsonObject;
  readonly parent?: string | null;
}

/** One edit, as `promptstudio_lab/flows/operations.py` lists them. */
export type Edit =
  | ({ readonly type: 'add' } & Added)
  | { readonly type: 'move'; readonly nodes: Readonly<Record<string, Put>> }
  | {
      readonly type: 'configure';
      readonly node: string;
      readonly config?: JsonObject;
      readonly policy?: JsonObject;
      readonly settings?: JsonObject;
      readonly without?: readonly string[];
      readonly rules?: JsonObject;
      readonly without_rules?: readonly string[];
    }
  | { readonly type: 'rename'; readonly node: string; readonly key: string }
  | {
      readonly type: 'remove';
      readonly nodes: readonly string[];
      readonly edges: readonly string[];
    }
  | ({ readonly type: 'connect' } & Connection & { readonly edge: string })
  | ({ readonly type: 'insert'; readonly on: string } & Added)
  | ({ readonly type: 'extend'; readonly from?: Opening; readonly to?: Opening } & Added)
  | {
      readonly type: 'group';
      readonly node: string;
      readonly kind: string;
      readonly nodes: readonly string[];
    }
  | { readonly type: 'ungroup'; readonly node: string }
  | {
      readonly type: 'tidy';
      readonly nodes: readonly string[] | null;
      readonly heights: Readonly<Record<string, number>>;
    }
  | {
      readonly type: 'batch';
      readonly name: 'paste' | 'duplicate' | 'reconnect' | 'arrange' | 'fix' | 'draw';
      readonly operations: readonly Edit[];
    };

export interface Opening {
  readonly node: string;
  readonly port: string;
}

export interface Connection {
  readonly source: string;
  readonly source_port: string;
  readonly source_path: string;
  readonly target: string;
  readonly target_port: string;
}

export type Operation = Edit & { readonly op_id: string; readonly base_seq: number };

export type Message = Asked & {
  /** Of the problems that the view has: the same are not told again. */
  readonly problems_tag?: string;
};

type Asked =
  | { readonly do: 'view' }
  | { readonly do: 'edit'; readonly operation: Operation }
  | { readonly do: 'undo' }
  | { readonly do: 'redo' }
  | { readonly do: 'changes'; readonly since: number }
  | { readonly do: 'save' }
  | { readonly do: 'restore'; readonly version: number }
  | { readonly do: 'fork'; readonly version: number; readonly path: string }
  | { readonly do: 'merge'; readonly hunks: readonly string[] }
  | { readonly do: 'label'; readonly name: string; readonly version: number | null }
  | Order
  | Question;

/** What sets a run off, or ends one; `until` is the node to run up to. */
export type Order =
  | { readonly do: 'run'; readonly inputs: JsonObject; readonly until: string | null }
  | { readonly do: 'stop'; readonly run: string };

/** What an inspector asks: `promptstudio_lab/lab/asking.py` answers. */
export type Question = { readonly do: 'ask' } & (
  | {
      readonly about:
        'models' | 'templates' | 'datasets' | 'python' | 'versions' | 'merge' | 'runs' | 'variants';
    }
  | { readonly about: 'run'; readonly run: string }
  | { readonly about: 'row'; readonly dataset: string; readonly item: number }
  | { readonly about: 'heat'; readonly variant: string | null }
  | {
      readonly about: 'values';
      readonly run: string;
      readonly node: string;
      readonly nth: number;
    }
  | { readonly about: 'template'; readonly path: string }
  | { readonly about: 'difference'; readonly version: number }
  | {
      readonly about: 'preview';
      readonly node: string;
      readonly dataset: string;
      readonly item: number;
    }
);

export interface ModelView {
  readonly name: string;
  readonly default: boolean;
  /** Dollars a million tokens; null where no price is known. */
  readonly input_usd: number | null;
  readonly output_usd: number | null;
}

export interface TemplateView {
  readonly path: string;
  readonly labels: Readonly<Record<string, number>>;
  readonly versions: readonly {
    readonly version: number;
    readonly text: string;
    readonly note: string;
    readonly by: string;
    readonly at: string;
  }[];
}

export interface VersionView {
  readonly version: number;
  readonly nodes: number;
  readonly by: string;
  readonly at: string;
  readonly current: boolean;
  readonly labels: readonly string[];
}

/** What differs between a version and the flow as it stands. */
export interface DifferenceView {
  readonly lines: readonly string[];
  readonly same: boolean;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly { readonly id: string; readonly key: string; readonly kind: string }[];
  readonly edges: readonly string[];
}

/** A flow, as one opens it. */
export interface FlowPlace {
  readonly id: string;
  readonly path: string;
}

/** What a fork changed and its origin has not. */
export interface MergeView {
  readonly origin: OriginView;
  readonly hunks: readonly HunkView[];
  /** What changed in the origin meanwhile. */
  readonly theirs: readonly string[];
}

/** One change that can be taken by itself, but for those that it needs. */
export interface HunkView {
  readonly id: string;
  readonly lines: readonly string[];
  /** What both have changed: what it was, and what either made of it. */
  readonly clash: { readonly base: string; readonly mine: string; readonly theirs: string } | null;
  readonly needs: readonly string[];
}

export interface PreviewView {
  readonly pieces: readonly {
    readonly text: string;
    readonly variable: string | null;
    readonly known: boolean;
  }[];
}

/** A run, as a list shows it. */
export interface RunRow {
  readonly run: string;
  readonly version: number;
  readonly status: string;
  readonly trigger: string;
  readonly by: string;
  readonly started_at: string;
  readonly latency_ms: number | null;
  readonly cost_usd: number | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly simulated: boolean;
  readonly variant?: string | null;
  readonly experiment?: string | null;
}

/** What a node came to in one run; of one in a body, over all the times it ran. */
export interface NodeRun {
  readonly status: string;
  readonly times: number;
  readonly failed: number;
  readonly cached: boolean;
  /** From when to when it was at work, since the run began. */
  readonly began_ms: number;
  readonly ended_ms: number;
  readonly latency_ms: number;
  readonly cost_usd: number | null;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly error: string | null;
  /** The beginning of what it gave. */
  readonly output: string | null;
}

/** A run, as it is painted on the flow. */
export interface RunView extends RunRow {
  readonly error: string | null;
  readonly nodes: Readonly<Record<string, NodeRun>>;
  readonly under_way: Readonly<Record<string, string>>;
  /** The nodes that are no longer what they were in it. */
  readonly stale: readonly string[];
  /** In a tab: the end of what models say just now, by the whole name of their node. */
  readonly texts?: Readonly<Record<string, string>>;
}

/** One execution of a node, whole. */
export interface ValuesView {
  readonly times: number;
  readonly path: string;
  readonly status: string;
  readonly cached: boolean;
  readonly latency_ms: number;
  readonly cost_usd: number | null;
  readonly saved_usd: number | null;
  readonly inputs: Json;
  readonly outputs: Json;
  readonly error: Json;
  readonly calls: readonly {
    readonly model: string;
    readonly status: string;
    readonly latency_ms: number | null;
    readonly cost_usd: number | null;
    readonly input_tokens: number | null;
    readonly output_tokens: number | null;
    readonly request: Json;
    readonly response: Json;
  }[];
}

/** What nodes are like over many runs; each is a mean a time that it ran. */
export interface HeatView {
  readonly runs: number;
  readonly nodes: Readonly<Record<string, NodeHeat>>;
}

export interface NodeHeat {
  readonly times: number;
  readonly cost_usd: number | null;
  readonly latency_ms: number;
  /** The share that failed. */
  readonly errors: number;
}

export interface SideView {
  readonly id: string;
  readonly name: string;
  readonly experiment: string;
}

export type Answer =
  | { readonly ok: true; readonly view: View }
  | { readonly ok: true; readonly change: Change }
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** `slow` waits and keeps edits; `dead` takes none. */
export type Status = 'live' | 'dead' | 'slow';

export interface Options {
  readonly surface: 'cell' | 'tab';
  /** Whether the wheel zooms always, or only while the canvas has the focus. */
  readonly wheel: 'focus' | 'always';
  /** How often to ask for others' edits; 0 where the host pushes them. */
  readonly pollMs?: number;
}

/** All that a canvas knows of the place it is in. */
export interface Host {
  /** Ask Python. Rejects only when no answer can come any more. */
  request(message: Message): Promise<Answer>;
  /** Hear what others changed, or that they did. */
  onChange(listener: (whatever: Whatever) => void): () => void;
  onStatus(listener: (status: Status) => void): () => void;
  /** Show another flow, where the place can. */
  show?(flow: FlowPlace): void;
  readonly options: Options;
}

/** Translates a text; `%1`, `%2` stand for the further arguments. */
export type Translate = (text: string, ...values: (string | number)[]) => string;
