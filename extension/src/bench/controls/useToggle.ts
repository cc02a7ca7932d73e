/** Play and pause as one action, for the button and the space bar. */
import { useSession, useStatusOf } from '../hooks';
import { type Toggle, toggleOf } from './words';

export function useToggle(): Toggle & { act: () => Promise<boolean> } {
  const session = useSession();
  const toggle = toggleOf(useStatusOf(status => status.state));
  return { ...toggle, act: () => session.run(toggle.command) };
}
