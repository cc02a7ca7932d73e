import { describe, expect, it } from 'vitest';
import { keep, shortcut, type Stroke } from './keys';
import { pageTheme, parseColour } from './theme';

const press = (key: string, more: Partial<Stroke> = {}): Stroke => ({
  key,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...more
});
const make = (tag: string) => document.createElement(tag);

describe('keys', () => {
  it('undo, redo and play where nothing else is meant by them', () => {
    expect(shortcut(press('z', { ctrlKey: true }), make('div'))).toBe('undo');
    expect(shortcut(press('Z', { metaKey: true, shiftKey: true }), make('div'))).toBe('redo');
    expect(shortcut(press('y', { ctrlKey: true }), make('div'))).toBe('redo');
    expect(shortcut(press(' '), make('div'))).toBe('toggle');
  });

  it('leave text fields and buttons their own keys', () => {
    expect(shortcut(press('z', { ctrlKey: true }), make('input'))).toBeNull();
    expect(shortcut(press(' '), make('input'))).toBeNull();
    expect(shortcut(press(' '), make('button'))).toBeNull();
  });

  it('keep notebook commands out, and let save pass', () => {
    for (const key of ['a', 'd', 'Enter', 'Escape', 'ArrowDown', ' ']) {
      expect(keep(press(key), make('div'))).toBe(true);
    }
    expect(keep(press('Enter', { ctrlKey: true }), make('input'))).toBe(true);
    expect(keep(press('z', { ctrlKey: true }), make('div'))).toBe(true);
    expect(keep(press('c', { metaKey: true }), make('input'))).toBe(true);
    expect(keep(press('s', { ctrlKey: true }), make('input'))).toBe(false);
    expect(keep(press('s', { metaKey: true }), make('div'))).toBe(false);
    expect(keep(press('c', { ctrlKey: true, shiftKey: true }), make('div'))).toBe(false);
  });
});

describe('the theme', () => {
  it('is what the page says, else what the system prefers', () => {
    const body = document.createElement('body');
    expect(pageTheme(body, true)).toBe('dark');
    body.dataset.jpThemeLight = 'true';
    expect(pageTheme(body, true)).toBe('light');
    body.dataset.jpThemeLight = 'false';
    expect(pageTheme(body, false)).toBe('dark');
  });

  it('gives colours as numbers', () => {
    expect(parseColour('rgb(25, 118, 210)')).toEqual([25, 118, 210]);
    expect(parseColour('rgba(0, 0, 0, 0.5)', [100, 200, 0])).toEqual([50, 100, 0]);
    expect(parseColour('color(srgb 1 0.5 0)')).toEqual([255, 128, 0]);
    expect(parseColour('color(srgb 0 0 0 / 0)', [9, 9, 9])).toEqual([9, 9, 9]);
  });
});
