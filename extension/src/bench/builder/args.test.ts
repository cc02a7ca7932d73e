import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../dev/catalogue';
import type { LayerType, Param } from '../protocol';
import { argsOf, brief, draftOf, parse, show } from './args';
import { sortParams } from './Fields';
import { search } from './search';

const type = (name: string): LayerType => {
  const found = CATALOGUE.families.flatMap(f => f.layers).find(l => l.type === name);
  if (!found) {
    throw new Error(name);
  }
  return found;
};
const param = (kind: Param['kind'], more: Partial<Param> = {}): Param => ({
  name: 'x',
  kind,
  ...more
});

describe('what is typed in a field', () => {
  it.each([
    ['int', '12', 12],
    ['int', ' -3 ', -3],
    ['float', '1e-3', 0.001],
    ['float', '\u22120.5', -0.5],
    ['ints', '3', 3],
    ['ints', '3, 5', [3, 5]],
    ['ints', '(3, 5)', [3, 5]],
    ['ints', '3×5', [3, 5]],
    ['text', 'zeros', 'zeros'],
    ['bool', true, true]
  ] as const)('%s %s', (kind, input, value) => {
    expect(parse(param(kind), input)).toEqual({ value });
  });

  it('takes a word where one is allowed', () => {
    const padding = param('ints', { choices: ['same', 'valid'], default: 0 });
    expect(parse(padding, 'same')).toEqual({ value: 'same' });
    expect(parse(padding, 'some')).toHaveProperty('problem');
  });

  it('takes one of several choices, with its own type', () => {
    expect(parse(param('choice', { choices: [1, 2] }), '2')).toEqual({ value: 2 });
    expect(parse(param('choice', { choices: ['none'] }), 'tanh')).toHaveProperty('problem');
  });

  it.each([
    [param('int', { min: 1 }), '0', 'at least 1'],
    [param('int'), '2.5', 'whole number'],
    [param('float', { max: 1 }), '2', 'at most 1'],
    [param('float'), 'abc', 'a number'],
    [param('ints', { min: 1 }), '3, 0', 'at least 1'],
    [param('int', { required: true, default: 4 }), '', 'needed']
  ] as const)('says what is wrong', (p, input, words) => {
    expect(parse(p, input)).toHaveProperty('problem', expect.stringContaining(words) as string);
  });

  it('reads an empty field as None where None is allowed', () => {
    expect(parse(param('int', { nullable: true, default: null }), '')).toEqual({ value: null });
    expect(parse(param('float', { default: 0.5, nullable: false }), '')).toHaveProperty('problem');
  });
});

describe('a form', () => {
  it('starts with defaults, or with the layer as it is', () => {
    const conv = type('Conv2d');
    expect(draftOf(conv)).toMatchObject({ out_channels: '16', kernel_size: '3', bias: true });
    expect(draftOf(conv, { out_channels: 8, kernel_size: [3, 5], bias: false })).toMatchObject({
      out_channels: '8',
      kernel_size: '3, 5',
      bias: false
    });
    expect(show(param('float'), 0.00001)).toBe('1e-5');
    expect(show(param('int'), null)).toBe('');
  });

  it('sends what is required or changed, never what is inferred', () => {
    const conv = type('Conv2d');
    const draft = { ...draftOf(conv, { in_channels: 3 }), padding: 'same' };
    expect(argsOf(conv, draft)).toEqual({
      args: { out_channels: 16, kernel_size: 3, padding: 'same' },
      problems: {}
    });
  });

  it('round-trips a layer through its form', () => {
    const conv = type('Conv2d');
    const args = { out_channels: 8, kernel_size: [3, 5], stride: 2, bias: false };
    expect(argsOf(conv, draftOf(conv, args)).args).toEqual(args);
  });

  it('names the field that is wrong', () => {
    const drop = type('Dropout');
    expect(argsOf(drop, { p: '1.5' }).problems).toHaveProperty('p');
  });

  it('shows few fields first', () => {
    const { first, rest } = sortParams(type('Conv2d').params);
    expect(first.map(p => p.name)).toEqual([
      'in_channels',
      'out_channels',
      'kernel_size',
      'stride',
      'padding'
    ]);
    expect(rest).toHaveLength(3);
    expect(sortParams(type('Linear').params).rest).toEqual([]);
  });

  it('puts arguments in few characters', () => {
    expect(
      brief(type('Conv2d'), { in_channels: 1, out_channels: 16, kernel_size: 3, stride: 1 })
    ).toBe('16, 3×3');
    expect(brief(type('Linear'), { out_features: 10, bias: false })).toBe('10, no bias');
    expect(brief(undefined, {})).toBe('');
  });
});

describe('the search of the palette', () => {
  it('finds by type, family or purpose, names first', () => {
    expect(search(CATALOGUE, 'relu')[0]?.layers.map(l => l.type)).toEqual([
      'ReLU',
      'LeakyReLU',
      'GELU'
    ]);
    expect(search(CATALOGUE, 'pooling')[0]?.family).toBe('Pooling');
    expect(search(CATALOGUE, 'residual')[0]?.layers[0]?.type).toBe('Add');
    expect(search(CATALOGUE, 'nothing like it')).toEqual([]);
    expect(search(CATALOGUE, '')).toHaveLength(CATALOGUE.families.length);
  });
});
