/** Play and pause as one action, for the button and the space bar. */
import { useSession, useStatus } from '../hooks';
import { type Toggle, toggleOf } from './words';

export function useToggle(): Toggle & { act: () => Promise<boolean> } {
  const session = useSession();
  const toggle = toggleOf(useStatus().state);
  return { ...toggle, act: () => session.run(toggle.command) };
}
