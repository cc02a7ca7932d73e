/** Upright lines where the network or its settings changed, with as many labels as there is room. */
import type uPlot from 'uplot';
import type { Mark } from '../protocol';
import type { Palette } from '../theme';
import { FONT } from './look';

export const SIGN: Record<Mark['kind'], string> = { edit: '◆', lr: '↕', error: '✕' };

const ROOM = 26;

export interface Flag {
  mark: Mark;
  x: number;
  /** Room to the next mark or the edge, in pixels. */
  room: number;
}

/** Where each mark of the visible steps stands, and how much room its label has. */
export function flags(
  marks: readonly Mark[],
  position: (step: number) => number,
  left: number,
  right: number
): Flag[] {
  const seen = marks
    .map(mark => ({ mark, x: position(mark.step) }))
    .filter(({ x }) => x >= left && x <= right);
  return seen.map(({ mark, x }, i) => ({ mark, x, room: (seen[i + 1]?.x ?? right) - x }));
}

export function marksPlugin(marks: () => readonly Mark[], palette: Palette): uPlot.Plugin {
  const draw = (u: uPlot) => {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.font = FONT.replace('11px', `${11 * ratio}px`);
    ctx.textBaseline = 'top';
    for (const { mark, x, room } of flags(
      marks(),
      step => u.valToPos(step, 'x', true),
      left,
      left + width
    )) {
      const colour = mark.kind === 'error' ? palette.warn : palette.muted;
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(Math.round(x) + 0.5, top);
      ctx.lineTo(Math.round(x) + 0.5, top + height);
      ctx.stroke();
      const text = fitted(ctx, `${SIGN[mark.kind]} ${mark.label}`, room - 8 * ratio);
      ctx.fillText(text || SIGN[mark.kind], x + 4 * ratio, top + 2 * ratio);
    }
    ctx.restore();
  };
  return { hooks: { draw } };
}

/** As much of `text` as fits, with an ellipsis; nothing when even the sign would not stand clear. */
function fitted(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  if (ctx.measureText(text).width <= room) {
    return text;
  }
  if (room < ROOM) {
    return '';
  }
  let short = text;
  while (short.length > 3 && ctx.measureText(`${short}…`).width > room) {
    short = short.slice(0, -1);
  }
  return `${short.trimEnd()}…`;
}
