import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client, CommandError } from './client';

interface Sent {
  kind: string;
  id: string;
  name: string;
  args: unknown;
}

describe('commands as promises', () => {
  const sent: Sent[] = [];
  let client: Client;

  beforeEach(() => {
    vi.useFakeTimers();
    sent.length = 0;
    client = new Client({ send: content => sent.push(content as Sent) }, 1000);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('resolve by their own reply, in any order', async () => {
    const [a, b] = [client.command('pause'), client.command('step', { n: 2 })];
    const [first, second] = sent;
    client.settle({ kind: 'reply', id: second?.id ?? '', ok: true, result: 'b' });
    client.settle({ kind: 'reply', id: first?.id ?? '', ok: true, result: 'a' });
    expect(await Promise.all([a, b])).toEqual(['a', 'b']);
    expect(second).toMatchObject({ kind: 'command', name: 'step', args: { n: 2 } });
  });

  it('reject with the reason and the layer', async () => {
    const asked = client.check({ op: 'remove', layer: 'n1' });
    client.settle({
      kind: 'reply',
      id: sent[0]?.id ?? '',
      ok: false,
      error: { type: 'EditError', message: 'fc1 wants (N, 64)', layer: 'fc1' }
    });
    await expect(asked).rejects.toMatchObject({
      message: 'fc1 wants (N, 64)',
      type: 'EditError',
      layer: 'fc1'
    });
  });

  it('stop waiting after a while, and ignore a late or foreign reply', async () => {
    const asked = client.command('pause');
    const checked = expect(asked).rejects.toBeInstanceOf(CommandError);
    vi.advanceTimersByTime(1001);
    await checked;
    expect(() => {
      client.settle({ kind: 'reply', id: sent[0]?.id ?? '', ok: true });
      client.settle({ kind: 'reply', id: 'another view', ok: true });
    }).not.toThrow();
  });

  it('reject at once when the line is cut', async () => {
    const cut = new Client({
      send: () => {
        throw new Error('comm closed');
      }
    });
    await expect(cut.command('pause')).rejects.toMatchObject({ type: 'Disconnected' });
  });
});
