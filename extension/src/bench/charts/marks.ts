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
  /** Room to the label before, or to the left edge. */
  behind: number;
  last: boolean;
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
  return seen.map(({ mark, x }, i) => ({
    mark,
    x,
    room: (seen[i + 1]?.x ?? right) - x,
    behind: i === 0 ? x - left : (x - (seen[i - 1]?.x ?? left)) / 2,
    last: i === seen.length - 1
  }));
}

export function marksPlugin(
  marks: () => readonly Mark[],
  palette: Palette,
  labels = true
): uPlot.Plugin {
  const draw = (u: uPlot) => {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.font = FONT.replace('11px', `${11 * ratio}px`);
    ctx.textBaseline = 'top';
    ctx.textAlign = 'left';
    for (const { mark, x, room, behind, last } of flags(
      marks(),
      step => u.valToPos(step, 'x', true),
      left,
      left + width
    )) {
      const write = (text: string, at: number) => {
        ctx.setLineDash([]);
        ctx.lineWidth = 4 * ratio;
        ctx.lineJoin = 'round';
        ctx.strokeStyle = palette.paper;
        ctx.strokeText(text, at, top + 2 * ratio);
        ctx.fillText(text, at, top + 2 * ratio);
      };
      const colour = mark.kind === 'error' ? palette.warn : palette.muted;
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(Math.round(x) + 0.5, top);
      ctx.lineTo(Math.round(x) + 0.5, top + height);
      ctx.stroke();
      if (!labels) {
        continue;
      }
      const whole = `${SIGN[mark.kind]} ${mark.label}`;
      const need = ctx.measureText(whole).width + 8 * ratio;
      // At the right edge a label has its room on the other side of its line.
      if (need > room && last && need < behind) {
        write(whole, x - need + 4 * ratio);
      } else {
        write(fitted(ctx, whole, room - 8 * ratio) || SIGN[mark.kind], x + 4 * ratio);
      }
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
