/** Asks the kernel what an edit would do, while it is being typed, a little after the last key. */
import { useEffect, useState } from 'react';
import type { CommandError } from '../client';
import { useGraph, useSession } from '../hooks';
import type { Edit, Preview } from '../protocol';
import { asProblem } from '../session';

export interface Check {
  /** The answer belongs to what is shown now, not to what was typed before. */
  current: boolean;
  preview: Preview | null;
  problem: CommandError | null;
}

const PAUSE = 160;

export function useCheck(edit: Edit | null): Check {
  const { client } = useSession();
  const { version } = useGraph();
  const text = edit ? JSON.stringify(edit) : null;
  const key = `${version} ${text ?? ''}`;
  const [answer, setAnswer] = useState<(Omit<Check, 'current'> & { key: string }) | null>(null);

  useEffect(() => {
    if (text === null) {
      return;
    }
    let live = true;
    const take = (preview: Preview | null, problem: CommandError | null) => {
      if (live) {
        setAnswer({ key, preview, problem });
      }
    };
    const timer = setTimeout(() => {
      client.check(JSON.parse(text) as Edit).then(
        preview => take(preview, null),
        (error: unknown) => take(null, asProblem(error))
      );
    }, PAUSE);
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, [client, text, key]);

  if (text === null || !answer) {
    return { current: false, preview: null, problem: null };
  }
  return { current: answer.key === key, preview: answer.preview, problem: answer.problem };
}
