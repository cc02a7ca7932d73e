/** Line icons on a 16 × 16 grid, in the colour of the text around them. */
import type { ReactNode } from 'react';

const PATHS = {
  play: <path d="M5 3.2v9.6l7.6-4.8z" fill="currentColor" stroke="none" />,
  pause: <path d="M4.5 3h2.6v10H4.5zM8.9 3h2.6v10H8.9z" fill="currentColor" stroke="none" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" stroke="none" />,
  step: <path d="M3.5 3.5v9l6-4.5zM12 3.5v9" />,
  undo: <path d="M5.5 3 2.5 6l3 3M3 6h6a4 4 0 0 1 0 8H6.5" />,
  redo: <path d="m10.5 3 3 3-3 3M13 6H7a4 4 0 0 0 0 8h2.5" />,
  plus: <path d="M8 3.5v9M3.5 8h9" />,
  minus: <path d="M3.5 8h9" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  copy: <path d="M6 6h7v7.5H6zM3 10.5V2.5h7.5" />,
  done: <path d="m3 8.5 3.2 3.2L13 5" />,
  alert: <path d="M8 2.2 14.5 13.5h-13zM8 6.4v3.4M8 11.6v.4" />,
  trash: <path d="M3 4.5h10M6 4.5V2.8h4v1.7M4.4 4.5l.6 9h6l.6-9M6.8 7v4M9.2 7v4" />,
  snow: (
    <path d="M8 1.8v12.4M2.6 4.9l10.8 6.2M13.4 4.9 2.6 11.1M6.4 2.9 8 4.3l1.6-1.4M6.4 13.1 8 11.7l1.6 1.4" />
  ),
  swap: <path d="M2.5 5.5h9M9 3l2.5 2.5L9 8M13.5 10.5h-9M7 8l-2.5 2.5L7 13" />,
  search: <path d="M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3l3.4 3.4" />,
  fit: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  back: <path d="M9.5 3.5 5 8l4.5 4.5" />,
  chevron: <path d="M4 6l4 4 4-4" />,
  below: <path d="M3 3.5h10M8 6v7M5 10l3 3 3-3" />,
  wire: <path d="M3 3.5c0 6 10 3 10 9M1.6 3.5h2.8M11.6 12.5h2.8" />
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="wb-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}

/** A family of layers as a small sign; unknown families get a plain square. */
export function FamilySign({ family }: { family: string }) {
  const name = family.toLowerCase();
  const match = FAMILIES.find(([word]) => name.includes(word));
  return (
    <svg className="wb-icon wb-family" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {match ? match[1] : <rect x="3.5" y="3.5" width="9" height="9" rx="1.5" />}
    </svg>
  );
}

const FAMILIES: [string, ReactNode][] = [
  ['conv', <path key="c" d="M2.5 2.5h11v11h-11zM2.5 6.2h7.3v7.3M6.2 2.5v7.3h7.3" />],
  ['pool', <path key="p" d="M2.5 2.5h11v11h-11zM8 2.5v11M2.5 8h11" />],
  ['norm', <path key="n" d="M1.5 12.5c4 0 4-9 6.5-9s2.5 9 6.5 9" />],
  ['activ', <path key="a" d="M1.8 11.5H8l5.5-8" />],
  [
    'drop',
    <path key="d" d="M4 4h.01M8 4h.01M12 12h.01M4 12h.01M8 8h.01M12 4h.01" strokeWidth="2.6" />
  ],
  [
    'regular',
    <path key="r" d="M4 4h.01M8 4h.01M12 12h.01M4 12h.01M8 8h.01M12 4h.01" strokeWidth="2.6" />
  ],
  [
    'linear',
    <path
      key="l"
      d="M4.6 4.2 11 7.4M4.6 11.8 11 8.6M3.2 2.4a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8zM3.2 10.8a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8zM12.6 6.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z"
    />
  ],
  ['shap', <path key="s" d="M2.5 3h4.5v4.5H2.5zM9 11h5M11.8 8.8 14 11l-2.2 2.2M4.7 9.5V11H7" />],
  ['flat', <path key="f" d="M2.5 3h4.5v4.5H2.5zM9 11h5M4.7 9.5V11H7" />],
  ['join', <path key="j" d="M3 2.5C3 7 8 6 8 10v3.5M13 2.5C13 7 8 6 8 10" />],
  ['merge', <path key="m" d="M3 2.5C3 7 8 6 8 10v3.5M13 2.5C13 7 8 6 8 10" />],
  ['embed', <path key="e" d="M2.5 4h11M2.5 8h7M2.5 12h9" />],
  ['recur', <path key="u" d="M12.5 8a4.5 4.5 0 1 1-2-3.7M11 1.5v3.2H7.8" />],
  [
    'atten',
    <path
      key="t"
      d="M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z"
    />
  ]
];
