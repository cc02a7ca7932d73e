import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeModel } from './dev/fake';
import { Session } from './session';

const settle = () => vi.advanceTimersByTimeAsync(60);

describe('a session with a kernel', () => {
  let model: FakeModel;
  let session: Session;

  beforeEach(async () => {
    vi.useFakeTimers();
    model = new FakeModel({ steps: 120 });
    session = new Session(model);
    await settle();
  });
  afterEach(() => {
    session.dispose();
    vi.useRealTimers();
  });

  it('receives everything after its hello, from buffers that are not aligned', () => {
    const loss = session.store.series.get('loss');
    expect(loss?.length).toBe(120);
    expect(loss?.lastStep).toBe(120);
    expect(session.store.series.get('val/loss')?.length).toBe(2);
    expect(session.store.predictions?.pixels).toHaveLength(40 * 64);
  });

  it('keeps the images when later guesses come without them', async () => {
    const before = session.store.predictions;
    void session.run('start');
    await settle();
    await settle();
    expect(session.store.predictions?.step).toBeGreaterThan(before?.step ?? 0);
    expect(session.store.predictions?.pixels).toBe(before?.pixels);
  });

  it('tells listeners once per frame, however many messages came', async () => {
    const heard = vi.fn();
    session.store.subscribe('series', heard);
    for (let i = 0; i < 50; i++) {
      session.store.touch('series');
    }
    await settle();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(session.store.version('series')).toBeGreaterThan(0);
  });

  it('answers an edit with its code, and a refused one with the reason where it was made', async () => {
    const done = session.edit({ op: 'remove', layer: 'relu1' });
    await settle();
    expect(await done).toBeNull();
    expect(session.feedback.code).toBe("net.remove('relu1')");
    expect(session.feedback.spoken).toBe('Remove relu1');

    const refused = session.edit({ op: 'remove', layer: 'flatten' });
    await settle();
    expect((await refused)?.message).toContain('put nn.Flatten() before it');
    expect(session.feedback.problem).toBeNull();
    expect(session.feedback.pending).toBe(0);
  });

  it('shows the line of a command and why one was refused', async () => {
    void session.run('set_lr', { lr: 0.01 });
    await settle();
    expect(session.feedback.code).toBe('run.set_lr(0.01)');
    void session.run('undo');
    await settle();
    expect(session.feedback.problem?.message).toContain('nothing to undo');
  });

  it('gets scripts as text', async () => {
    const text = session.text('script');
    await settle();
    expect(await text).toContain('import workbench');
  });

  it('leaves nothing behind', async () => {
    expect(model.listening).toBeGreaterThan(0);
    session.dispose();
    expect(model.listening).toBe(0);
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });
});
