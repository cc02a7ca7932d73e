import { describe, expect, it } from 'vitest';
import { graphOf, sample } from '../dev/network';
import { frame, READABLE, visible } from './frame';
import { makesLoop, onWire, placeWords, placing, reduce, settle, START } from './state';
import { describe as inWords } from './words';

const graph = graphOf(sample('residual'), 1);
const id = (name: string) => graph.nodes.find(node => node.name === name)?.id ?? '';

describe('the builder', () => {
  it('goes from a place over a choice to an edit', () => {
    let state = reduce(START, { do: 'place', place: { at: 'after', layer: id('conv1') } });
    state = reduce(state, { do: 'choose', type: 'ReLU' });
    expect(placing(state, { type: 'ReLU', args: {} }, ' act ')).toEqual({
      op: 'insert',
      layer: { type: 'ReLU', args: {} },
      after: id('conv1'),
      name: 'act',
      seed: null
    });
    expect(placeWords(graph, state.place)).toBe('after conv1');
  });

  it('appends by default and replaces when asked', () => {
    const spec = { type: 'ReLU', args: {} };
    expect(placing(START, spec, '')).toEqual({ op: 'append', layer: spec, name: null });
    const state = reduce(START, { do: 'replace', layer: 'n2' });
    expect(placing(state, spec, '')).toEqual({ op: 'replace', layer: 'n2', with: spec });
    expect(reduce(state, { do: 'back' }).selected).toBe('n2');
  });

  it('forgets layers that are gone', () => {
    expect(settle({ ...START, selected: 'gone' }, graph)).toEqual(START);
    expect(settle({ ...START, place: { at: 'after', layer: 'gone' } }, graph).place).toEqual({
      at: 'end'
    });
  });

  it('finds the place on a wire, also where wires part', () => {
    expect(onWire(graph, id('conv1'), id('relu1'))).toEqual({ at: 'after', layer: id('conv1') });
    expect(onWire(graph, id('relu1'), id('conv2'))).toEqual({ at: 'before', layer: id('conv2') });
    expect(onWire(graph, id('head'), 'end')).toEqual({ at: 'end' });
  });

  it('knows which wires would close a loop', () => {
    expect(makesLoop(graph, id('join'), id('conv1'))).toBe(true);
    expect(makesLoop(graph, id('conv1'), id('conv1'))).toBe(true);
    expect(makesLoop(graph, id('conv1'), id('join'))).toBe(false);
  });

  it('describes the network in words', () => {
    expect(inWords(graph)).toContain('join (Add, from norm and relu1, gives 16×8×8)');
    expect(inWords(graphOf(sample('empty'), 1))).toContain('no layers yet');
  });
});

describe('the view of the picture', () => {
  const window = { width: 300, height: 500 };

  it('shows a small network whole and in the middle', () => {
    const view = frame({ width: 208, height: 200 }, window, null);
    expect(view).toEqual({ x: 46, y: 150, zoom: 1 });
  });

  it('keeps a tall one readable, from its top or around the selected layer', () => {
    const tall = { width: 208, height: 4000 };
    expect(frame(tall, window, null).zoom).toBe(READABLE);
    expect(frame(tall, window, null).y).toBe(14);
    const box = { x: 0, y: 2000, width: 208, height: 30 };
    const view = frame(tall, window, box);
    expect(visible(box, view, window)).toBe(true);
    expect(visible({ ...box, y: 3900 }, view, window)).toBe(false);
  });
});
