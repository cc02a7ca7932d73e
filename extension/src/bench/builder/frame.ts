/** How to show a drawing in a window: whole where it stays readable, else its part that matters. */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Viewport {
  x: number;
  y: number;
  zoom: number;
}

const PAD = 14;
export const READABLE = 0.72;

export function frame(
  drawing: { width: number; height: number },
  window: { width: number; height: number },
  focus: Box | null
): Viewport {
  const fit = Math.min(
    (window.width - 2 * PAD) / Math.max(1, drawing.width),
    (window.height - 2 * PAD) / Math.max(1, drawing.height)
  );
  const zoom = Math.min(1, Math.max(READABLE, fit));
  const along = (length: number, room: number, at: number | null) => {
    const scaled = length * zoom;
    if (scaled <= room - 2 * PAD + 1) {
      return (room - scaled) / 2;
    }
    const wanted = at === null ? PAD : room / 2 - at * zoom;
    return Math.min(PAD, Math.max(room - scaled - PAD, wanted));
  };
  const middle = focus && { x: focus.x + focus.width / 2, y: focus.y + focus.height / 2 };
  return {
    x: along(drawing.width, window.width, middle ? middle.x : drawing.width / 2),
    y: along(drawing.height, window.height, middle ? middle.y : null),
    zoom
  };
}

/** Is the box well inside the window as it is shown now? */
export function visible(
  box: Box,
  view: Viewport,
  window: { width: number; height: number }
): boolean {
  const left = box.x * view.zoom + view.x;
  const top = box.y * view.zoom + view.y;
  return (
    left >= 0 &&
    top >= 0 &&
    left + box.width * view.zoom <= window.width &&
    top + box.height * view.zoom <= window.height
  );
}
