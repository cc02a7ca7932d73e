/** Asks the kernel what an edit would do, while it is being typed, a little after the last key. */
import { useEffect, useState } from 'react';
import type { Client, CommandError } from '../client';
import { useGraph, useSession } from '../hooks';
import type { Edit, Preview } from '../protocol';
import { asProblem } from '../session';
import { canFit, fitting } from './fitting';

export interface Answer {
  preview: Preview | null;
  problem: CommandError | null;
  /** What the edit would do if the layers after it were remade to fit; only beside a problem. */
  rescue: Preview | null;
}

export interface Check extends Answer {
  /** The answer belongs to what is shown now, not to what was typed before. */
  current: boolean;
}

const NOTHING: Answer = { preview: null, problem: null, rescue: null };
const PAUSE = 160;

export async function ask(client: Client, edit: Edit): Promise<Answer> {
  try {
    return { ...NOTHING, preview: await client.check(edit) };
  } catch (error) {
    return { ...NOTHING, problem: asProblem(error), rescue: await rescueOf(client, edit) };
  }
}

/** What the edit would do with leave to remake what follows; null when that does not help. */
export async function rescueOf(client: Client, edit: Edit): Promise<Preview | null> {
  if (!canFit(edit) || edit.adapt) {
    return null;
  }
  try {
    return await client.check(fitting(edit));
  } catch {
    return null;
  }
}

export function useCheck(edit: Edit | null): Check {
  const { client } = useSession();
  const { version } = useGraph();
  const text = edit ? JSON.stringify(edit) : null;
  const key = `${version} ${text ?? ''}`;
  const [answer, setAnswer] = useState<(Answer & { key: string }) | null>(null);

  useEffect(() => {
    if (text === null) {
      return;
    }
    let live = true;
    const timer = setTimeout(() => {
      void ask(client, JSON.parse(text) as Edit).then(found => {
        if (live) {
          setAnswer({ ...found, key });
        }
      });
    }, PAUSE);
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, [client, text, key]);

  return text === null || !answer
    ? { ...NOTHING, current: false }
    : { ...answer, current: answer.key === key };
}
