/** What the server's routes answer: `promptstudio_lab/server/routes.py` is the authority. */

export interface Status {
  readonly version: string;
  readonly warehouse: {
    readonly id: string;
    readonly url: string;
    readonly why: string;
    readonly dialect: string;
  };
  readonly lab: { readonly id: string; readonly name: string };
  readonly user: { readonly id: string; readonly name: string; readonly kind: string };
}

export interface TemplateEntry {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly version: number;
}

export interface FlowEntry extends TemplateEntry {
  readonly nodes: number;
}

interface Counted {
  readonly name: string;
  readonly flow_count: number;
  readonly template_count: number;
  readonly libraries: readonly Library[];
}

export interface Library extends Counted {
  readonly path: string;
  readonly flows: readonly FlowEntry[];
  readonly templates: readonly TemplateEntry[];
}

export interface LabEntry extends Counted {
  readonly id: string;
}

export interface Tree {
  readonly labs: readonly LabEntry[];
}

export interface TemplateVersion {
  readonly version: number;
  readonly text: string;
  readonly variables: readonly string[];
  readonly note: string;
  readonly created_by: string;
  readonly created_at: string;
}

export interface Template {
  readonly id: string;
  readonly path: string;
  /** Newest first. */
  readonly versions: readonly TemplateVersion[];
}

/** What a person is asked by a run that waits for the answer. */
export interface Question {
  readonly question_id: string;
  readonly flow_execution_id: string;
  /** The name of the flow that asks. */
  readonly flow: string;
  /** The node that asks, as `each/rate`. */
  readonly node: string;
  readonly path: string;
  readonly asked_at: string;
  readonly prompt: string | null;
  /** What the question is about. */
  readonly value: unknown;
  /** The JSON Schema of an answer. */
  readonly schema: Readonly<Record<string, unknown>> | null;
}

export interface MadeFlow {
  readonly id: string;
  readonly path: string;
}
