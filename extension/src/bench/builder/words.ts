/** The network in a sentence, for those who do not see the picture. */
import { count, shape } from '../format';
import type { Graph, GraphNode } from '../protocol';
import { nameOf } from './state';

export function describe(graph: Graph): string {
  const { nodes, input } = graph;
  if (nodes.length === 0) {
    return `The network has no layers yet; its input is ${shape(input.shape)}.`;
  }
  const layers = nodes.map(node => {
    const from = node.inputs.map(id => nameOf(graph, id)).join(' and ');
    return `${node.name} (${node.type}, from ${from}, gives ${shape(node.shape)})`;
  });
  return `The network has ${nodes.length} layers. Input ${shape(input.shape)}, then ${layers.join(', ')}.`;
}

export function nodeLabel(node: GraphNode, health: string): string {
  return [
    `${node.name}, ${node.type}`,
    `output ${shape(node.shape)}`,
    node.parameters ? `${count(node.parameters)} parameters` : 'no parameters',
    node.frozen ? 'frozen' : '',
    node.live === false ? 'unused, does not lead to the output' : '',
    health && health !== 'healthy' ? `gradient ${health}` : ''
  ]
    .filter(Boolean)
    .join(', ');
}
