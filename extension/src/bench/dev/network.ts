/** A network for the harness: enough shape arithmetic and editing to look and refuse like the real one. */
import { literal } from '../python';
import type { Args, Edit, Graph, GraphNode, LayerSpec, Preview } from '../protocol';
import { CATALOGUE } from './catalogue';

interface Placed {
  id: string;
  name: string;
  spec: LayerSpec;
  inputs: string[];
  frozen: boolean;
}

export interface Plan {
  nodes: Placed[];
  output: string;
}

export class Refused extends Error {
  constructor(
    message: string,
    readonly layer: string | null = null
  ) {
    super(message);
  }
}

const INPUT = [1, 8, 8];
const num = (args: Args, name: string, fallback: number) =>
  typeof args[name] === 'number' ? args[name] : fallback;

function infer(spec: LayerSpec, name: string, inputs: number[][]): [number[], number, Args] {
  const [first = []] = inputs;
  const [c = 1, h = 1, w = 1] = first;
  const { type, args } = spec;
  const size = first.reduce((a, b) => a * b, 1);
  const got = `(N, ${first.join(', ')})`;
  switch (type) {
    case 'Linear': {
      const out = num(args, 'out_features', 64);
      if (first.length !== 1) {
        throw new Refused(
          `${name} (Linear) gets ${got} and wants (N, features); put nn.Flatten() before it`,
          name
        );
      }
      return [[out], (size + 1) * out, { in_features: size }];
    }
    case 'Conv2d': {
      const [out, k] = [num(args, 'out_channels', 16), num(args, 'kernel_size', 3)];
      const p = args.padding === 'same' ? (k - 1) / 2 : num(args, 'padding', 0);
      const side = h + 2 * p - k + 1;
      if (first.length !== 3 || side < 1) {
        throw new Refused(
          first.length === 3
            ? `${name} (Conv2d): kernel_size ${k} reaches over ${k} pixels, more than the ${h + 2 * p} there are; kernel_size may be between 1 and ${h + 2 * p} here`
            : `${name} (Conv2d) gets ${got} and wants images (N, C, H, W); put it before nn.Flatten()`,
          name
        );
      }
      return [[out, side, side], out * (c * k * k + 1), { in_channels: c }];
    }
    case 'MaxPool2d':
    case 'AvgPool2d': {
      const k = num(args, 'kernel_size', 2);
      if (first.length !== 3) {
        throw new Refused(`${name} (${type}) gets ${got} and wants images (N, C, H, W)`, name);
      }
      return [[c, Math.floor(h / k), Math.floor(w / k)], 0, {}];
    }
    case 'BatchNorm2d':
      return [first, 2 * c, { num_features: c }];
    case 'LayerNorm':
      return [first, 2 * size, { normalized_shape: first }];
    case 'Flatten':
      return [[size], 0, {}];
    case 'Add':
      if (inputs.some(shape => shape.join() !== first.join())) {
        throw new Refused(
          `${name} (Add) gets ${inputs.map(s => `(N, ${s.join(', ')})`).join(' and ')} and wants the same shape from all, ${got}`,
          name
        );
      }
      return [first, 0, {}];
    case 'Concat':
      return [[inputs.reduce((sum, [n = 0]) => sum + n, 0), ...first.slice(1)], 0, {}];
    default:
      return [first, 0, {}];
  }
}

const familyOf = (type: string) =>
  CATALOGUE.families.find(family => family.layers.some(layer => layer.type === type))?.name ?? '';

const repr = ({ type, args }: LayerSpec) => {
  const required = CATALOGUE.families
    .flatMap(family => family.layers)
    .find(layer => layer.type === type)
    ?.params.filter(param => param.required)
    .map(param => param.name);
  const parts = Object.entries(args).map(([name, value]) =>
    required?.includes(name) ? literal(value) : `${name}=${literal(value)}`
  );
  return `nn.${type}(${parts.join(', ')})`;
};

export function graphOf(plan: Plan, version: number): Graph {
  const shapes = new Map([['input', INPUT]]);
  const nodes = plan.nodes.map((node): GraphNode => {
    const inputs = node.inputs.map(id => shapes.get(id) ?? []);
    const [shape, parameters, inferred] = infer(node.spec, node.name, inputs);
    shapes.set(node.id, shape);
    return {
      id: node.id,
      name: node.name,
      type: node.spec.type,
      family: familyOf(node.spec.type),
      args: { ...inferred, ...node.spec.args },
      inputs: node.inputs,
      shape,
      parameters,
      flops: parameters * 2 * (shape[1] ?? 1) ** 2,
      frozen: node.frozen,
      repr: repr(node.spec).slice(3),
      configurable: true
    };
  });
  return {
    version,
    input: { id: 'input', name: 'input', shape: INPUT, dtype: 'float32' },
    output: plan.output,
    nodes
  };
}

let next = 1;

function made(plan: Plan, spec: LayerSpec, name: string | null, inputs: string[]): Placed {
  const base = spec.type.toLowerCase();
  let at = 1;
  while (plan.nodes.some(node => node.name === `${base}${at}`)) {
    at += 1;
  }
  const wanted = name ?? `${base}${at}`;
  if (plan.nodes.some(node => node.name === wanted)) {
    throw new Refused(`there is a layer called '${wanted}' already; choose another name`, wanted);
  }
  return { id: `n${next++}`, name: wanted, spec, inputs, frozen: false };
}

/** The plan after an edit, the line of code that makes it, and a sentence. */
export function applied(plan: Plan, edit: Edit): { plan: Plan; code: string; label: string } {
  const nodes = plan.nodes.map(node => ({ ...node }));
  const find = (id: string) => {
    const node = nodes.find(one => one.id === id || one.name === id);
    if (!node) {
      throw new Refused(`there is no layer ${literal(id)}`);
    }
    return node;
  };
  const called = (name: string | null) => (name ? `, name=${literal(name)}` : '');
  switch (edit.op) {
    case 'append':
    case 'insert': {
      const before = edit.op === 'insert' ? edit.before : undefined;
      const after =
        edit.op === 'append'
          ? plan.output
          : before
            ? (find(before).inputs[0] ?? 'input')
            : (edit.after ?? 'input');
      const node = made(plan, edit.layer, edit.name, [after]);
      for (const other of nodes) {
        if (before ? other.id === before : true) {
          other.inputs = other.inputs.map(id => (id === after ? node.id : id));
        }
      }
      const at = nodes.findIndex(other => other.id === after) + 1;
      nodes.splice(at, 0, node);
      const afterName = after === 'input' ? 'input' : find(after).name;
      const where =
        edit.op === 'append'
          ? ''
          : before
            ? `, before=${literal(find(before).name)}`
            : `, after=${literal(afterName)}`;
      return {
        plan: { nodes, output: plan.output === after ? node.id : plan.output },
        code: `net.${edit.op}(${repr(edit.layer)}${where}${called(edit.name)})`,
        label:
          edit.op === 'append' ? `Append ${node.name}` : `Insert ${node.name} after ${afterName}`
      };
    }
    case 'remove': {
      const node = find(edit.layer);
      const instead = node.inputs[0] ?? 'input';
      for (const other of nodes) {
        other.inputs = other.inputs.map(id => (id === node.id ? instead : id));
      }
      return {
        plan: {
          nodes: nodes.filter(other => other !== node),
          output: plan.output === node.id ? instead : plan.output
        },
        code: `net.remove(${literal(node.name)})`,
        label: `Remove ${node.name}`
      };
    }
    case 'replace': {
      const node = find(edit.layer);
      node.spec = edit.with;
      const code = `net.replace(${literal(node.name)}, ${repr(edit.with)})`;
      return { plan: { nodes, output: plan.output }, code, label: `Replace ${node.name}` };
    }
    case 'rename': {
      const node = find(edit.layer);
      const code = `net.rename(${literal(node.name)}, ${literal(edit.name)})`;
      if (edit.name.includes('.')) {
        throw new Refused(`a layer's name may not hold a dot: ${literal(edit.name)}`, node.name);
      }
      node.name = edit.name;
      return { plan: { nodes, output: plan.output }, code, label: `Rename to ${edit.name}` };
    }
    case 'freeze': {
      const node = find(edit.layer);
      node.frozen = edit.frozen;
      const verb = edit.frozen ? 'freeze' : 'unfreeze';
      const code = `net.${verb}(${literal(node.name)})`;
      return { plan: { nodes, output: plan.output }, code, label: `${verb} ${node.name}` };
    }
    case 'rewire': {
      const node = find(edit.layer);
      node.inputs = edit.inputs;
      nodes.sort((a, b) => (a.inputs.includes(b.id) ? 1 : b.inputs.includes(a.id) ? -1 : 0));
      const names = edit.inputs.map(id => literal(id === 'input' ? id : find(id).name));
      const code = `net.rewire(${literal(node.name)}, inputs=[${names.join(', ')}])`;
      return { plan: { nodes, output: plan.output }, code, label: `Rewire ${node.name}` };
    }
  }
}

const total = (graph: Graph) => graph.nodes.reduce((sum, node) => sum + node.parameters, 0);

export function preview(plan: Plan, edit: Edit): Preview {
  const keep = next;
  try {
    const change = applied(plan, edit);
    const [before, after] = [graphOf(plan, 0), graphOf(change.plan, 0)];
    const known = new Set(before.nodes.map(node => node.id));
    return {
      ok: true,
      code: change.code,
      label: change.label,
      parameters: [total(before), total(after)],
      flops: [0, 0],
      shapes: Object.fromEntries(
        after.nodes
          .filter(
            node =>
              !known.has(node.id) ||
              before.nodes.find(old => old.id === node.id)?.shape.join() !== node.shape.join()
          )
          .map(node => [node.id, node.shape])
      ),
      changes: [],
      delta: null
    };
  } finally {
    next = keep;
  }
}

export function sample(kind: string): Plan {
  let plan: Plan = { nodes: [], output: 'input' };
  const add = (type: string, args: Args = {}, name: string | null = null) => {
    plan = applied(plan, { op: 'append', layer: { type, args }, name }).plan;
  };
  if (kind === 'empty') {
    return plan;
  }
  add('Conv2d', { out_channels: 16, kernel_size: 3, padding: 1 }, 'conv1');
  add('ReLU');
  if (kind === 'residual') {
    add('Conv2d', { out_channels: 16, kernel_size: 3, padding: 1 }, 'conv2');
    add('BatchNorm2d', {}, 'norm');
    add('Add', {}, 'join');
    const [, relu] = plan.nodes;
    const join = plan.nodes.at(-1);
    join?.inputs.push(relu?.id ?? 'input');
  } else {
    add('MaxPool2d', { kernel_size: 2 }, 'pool');
  }
  add('Flatten', {}, 'flatten');
  add('Linear', { out_features: 64 }, 'fc1');
  add('ReLU');
  add('Linear', { out_features: 10 }, 'head');
  return plan;
}
