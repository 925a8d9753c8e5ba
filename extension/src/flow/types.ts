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
  /** Whether nodes can lie in it. */
  readonly container: boolean;
  readonly schema: Schema;
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
  readonly fix: Json;
}

/** Why a value of the first type does not fit the second, or null where it does. */
export type TypeMatrix = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

export interface View {
  readonly warehouse: string;
  readonly flow: { readonly id: string; readonly path: string; readonly version: number };
  readonly seq: number;
  readonly kinds: readonly KindView[];
  readonly types: TypeMatrix;
  readonly nodes: readonly NodeView[];
  readonly edges: readonly EdgeView[];
  readonly problems: readonly ProblemView[];
}

export interface Change {
  readonly seq: number;
  readonly nodes: readonly NodeView[];
  readonly edges: readonly EdgeView[];
  readonly gone_nodes: readonly string[];
  readonly gone_edges: readonly string[];
  readonly problems: readonly ProblemView[];
  readonly conflicts: readonly Json[];
  readonly superseded: readonly string[];
}

/** What others did: the change itself, or only the sequence that the flow has reached. */
export type Whatever = Change | { readonly seq: number };

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** One edit, as `promptstudio_lab/flows/operations.py` lists them. */
export type Edit =
  | {
      readonly type: 'add';
      readonly node: string;
      readonly kind: string;
      readonly key: string;
      readonly x: number;
      readonly y: number;
      readonly parent?: string | null;
      readonly config?: JsonObject;
      readonly policy?: JsonObject;
    }
  /** All or none, and one step of undo. */
  | { readonly type: 'several'; readonly operations: readonly Edit[] }
  | { readonly type: 'move'; readonly nodes: Readonly<Record<string, Place>> }
  | { readonly type: 'configure'; readonly node: string; readonly config: JsonObject }
  | { readonly type: 'rename'; readonly node: string; readonly key: string }
  | {
      readonly type: 'remove';
      readonly nodes: readonly string[];
      readonly edges: readonly string[];
    }
  | ({ readonly type: 'connect' } & Connection & { readonly edge: string });

export interface Connection {
  readonly source: string;
  readonly source_port: string;
  readonly source_path: string;
  readonly target: string;
  readonly target_port: string;
}

/** A new node on an edge: what flowed along it now flows through the node. */
export interface Insertion {
  readonly edge: string;
  readonly node: string;
  readonly kind: string;
  readonly key: string;
  readonly x: number;
  readonly y: number;
}

export type Operation = Edit & { readonly op_id: string; readonly base_seq: number };

export type Message =
  | { readonly do: 'view' }
  | { readonly do: 'edit'; readonly operation: Operation }
  | { readonly do: 'undo' }
  | { readonly do: 'redo' }
  | { readonly do: 'tidy' }
  | { readonly do: 'mend'; readonly fix: Json }
  | ({ readonly do: 'insert' } & Insertion)
  | { readonly do: 'changes'; readonly since: number };

export type Answer =
  | { readonly ok: true; readonly view: View }
  | { readonly ok: true; readonly change: Change }
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
  readonly options: Options;
}

/** Translates a text; `%1`, `%2` stand for the further arguments. */
export type Translate = (text: string, ...values: (string | number)[]) => string;
