/** Dragging a type of layer from the palette onto the picture. */
import { type DragEvent, useState } from 'react';

const MIME = 'application/x-workbench-layer';

export function startDrag(event: DragEvent, type: string): void {
  event.dataTransfer.setData(MIME, type);
  event.dataTransfer.effectAllowed = 'copy';
}

/** Props for something a layer can be dropped on, and whether one hovers over it. */
export function useDrop(drop: (type: string) => void) {
  const [over, setOver] = useState(false);
  return {
    over,
    props: {
      onDragOver: (event: DragEvent) => {
        if (event.dataTransfer.types.includes(MIME)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'copy';
          setOver(true);
        }
      },
      onDragLeave: () => setOver(false),
      onDrop: (event: DragEvent) => {
        const type = event.dataTransfer.getData(MIME);
        setOver(false);
        if (type) {
          event.preventDefault();
          event.stopPropagation();
          drop(type);
        }
      }
    }
  };
}
