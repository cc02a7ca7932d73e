/** Light or dark, and the colours as numbers for what is drawn on a canvas. */

export type Theme = 'light' | 'dark';
export type Rgb = readonly [number, number, number];

export interface Palette {
  theme: Theme;
  ink: string;
  muted: string;
  line: string;
  paper: string;
  accent: string;
  warn: string;
  paperRgb: Rgb;
  inkRgb: Rgb;
  accentRgb: Rgb;
  warnRgb: Rgb;
}

/** What the page around us says: JupyterLab, then VS Code, then Colab, then the system. */
export function pageTheme(body: HTMLElement, prefersDark: boolean): Theme {
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) {
    return jupyter === 'false' ? 'dark' : 'light';
  }
  const code = body.dataset.vscodeThemeKind;
  if (code !== undefined) {
    return code.includes('light') ? 'light' : 'dark';
  }
  const colab = body.ownerDocument.documentElement.getAttribute('theme');
  if (colab) {
    return colab === 'dark' ? 'dark' : 'light';
  }
  return prefersDark ? 'dark' : 'light';
}

/** Tells of every change of the page's theme; returns how to stop. */
export function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ['data-jp-theme-light', 'data-jp-theme-name', 'data-vscode-theme-kind']
  });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['theme'] });
  const media = darkMedia();
  media?.addEventListener('change', changed);
  return () => {
    observer.disconnect();
    media?.removeEventListener('change', changed);
  };
}

export const darkMedia = () =>
  typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;

/** Reads `rgb(…)`, `rgba(…)` and `color(srgb …)`, laid over `under` where not opaque. */
export function parseColour(text: string, under: Rgb = [255, 255, 255]): Rgb {
  const numbers = (text.match(/-?[\d.]+(e-?\d+)?%?/g) ?? []).map(part => parseFloat(part));
  const scale = text.startsWith('color(') ? 255 : 1;
  const [r = 0, g = 0, b = 0] = numbers.map(x => x * scale);
  const alpha = numbers[3] ?? 1;
  const over = (top: number, below: number) => Math.round(top * alpha + below * (1 - alpha));
  return [over(r, under[0]), over(g, under[1]), over(b, under[2])];
}

export const css = (rgb: Rgb, alpha = 1) => `rgba(${rgb.join(', ')}, ${alpha})`;

export const mix = (a: Rgb, b: Rgb, t: number): Rgb => [
  Math.round(a[0] + (b[0] - a[0]) * t),
  Math.round(a[1] + (b[1] - a[1]) * t),
  Math.round(a[2] + (b[2] - a[2]) * t)
];

/** Reads the bench's colours off an element inside it. */
export function readPalette(element: HTMLElement, theme: Theme): Palette {
  const probe = document.createElement('span');
  element.append(probe);
  const read = (name: string, under?: Rgb) => {
    probe.style.color = `var(--wb-${name})`;
    return parseColour(getComputedStyle(probe).color, under);
  };
  const paper = read('paper');
  const ink = read('ink', paper);
  const accent = read('accent', paper);
  const warn = read('warn', paper);
  const palette: Palette = {
    theme,
    paper: css(paper),
    ink: css(ink),
    muted: css(read('muted', paper)),
    line: css(read('line', paper)),
    accent: css(accent),
    warn: css(warn),
    paperRgb: paper,
    inkRgb: ink,
    accentRgb: accent,
    warnRgb: warn
  };
  probe.remove();
  return palette;
}

/** One accent, from faint to strong: low values sink into the paper, high ones stand out. */
export function ramp(palette: Palette, t: number): Rgb {
  const strong: Rgb = palette.theme === 'dark' ? [236, 244, 255] : [10, 28, 64];
  const faint = mix(palette.paperRgb, palette.accentRgb, 0.1);
  const x = Math.min(1, Math.max(0, t));
  return x < 0.6
    ? mix(faint, palette.accentRgb, x / 0.6)
    : mix(palette.accentRgb, strong, (x - 0.6) / 0.4);
}
