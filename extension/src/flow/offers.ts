import { WHEN } from './apply';
import { refusal } from './connect';
import type { Connection, NodeView, Translate, View } from './types';

/** Every edge that could be drawn from a node or to it; what a keyboard chooses among. */
export function offersOf(
  view: View,
  node: NodeView,
  t: Translate
): Omit<Connection, 'source_path'>[] {
  const others = view.nodes.filter(other => other !== node && other.parent === node.parent);
  const pairs = others.flatMap(other => [...between(node, other), ...between(other, node)]);
  return pairs.filter(pair => refusal(view, pair, t) === null);
}

function between(source: NodeView, target: NodeView): Omit<Connection, 'source_path'>[] {
  return source.outputs.flatMap(output =>
    target.inputs
      .filter(input => input.name !== WHEN || output.type === 'branch')
      .map(input => ({
        source: source.id,
        source_port: output.name,
        target: target.id,
        target_port: input.name
      }))
  );
}

/** Things whose words hold all the words of a wish, those whose first word begins so first. */
export function matching<Thing extends { readonly title: string; readonly words: string }>(
  things: readonly Thing[],
  wish: string
): Thing[] {
  const wanted = wish.trim().toLowerCase();
  const words = wanted.split(/\s+/);
  const begins = (thing: Thing): number => Number(!thing.title.toLowerCase().startsWith(wanted));
  return things
    .filter(thing => {
      const text = `${thing.title} ${thing.words}`.toLowerCase();
      return words.every(word => text.includes(word));
    })
    .sort((one, other) => begins(one) - begins(other));
}
