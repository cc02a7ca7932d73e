/** The theme in force, and a palette for canvases that is read anew when it changes. */
import { createContext, useContext, useEffect, useState } from 'react';
import { darkMedia, pageTheme, type Palette, readPalette, type Theme, watchTheme } from '../theme';

const now = () => pageTheme(document.body, darkMedia()?.matches ?? false);

/** The page's theme, and a number that grows with every change, for colours of one theme family. */
export function usePageTheme(): { theme: Theme; version: number } {
  const [state, setState] = useState(() => ({ theme: now(), version: 0 }));
  useEffect(
    () =>
      // The new theme's style sheet may still be on its way when the attribute changes.
      watchTheme(() => {
        const update = () => setState(old => ({ theme: now(), version: old.version + 1 }));
        update();
        setTimeout(update, 150);
      }),
    []
  );
  return state;
}

export const PaletteContext = createContext<Palette | null>(null);

/** The palette of the element's surroundings, once the element stands in the page. */
export function useReadPalette(
  element: HTMLElement | null,
  theme: Theme,
  version: number
): Palette | null {
  const [palette, setPalette] = useState<Palette | null>(null);
  useEffect(() => {
    if (!element) {
      return;
    }
    const frame = requestAnimationFrame(() => setPalette(readPalette(element, theme)));
    return () => cancelAnimationFrame(frame);
  }, [element, theme, version]);
  return palette;
}

export const usePalette = () => useContext(PaletteContext);
