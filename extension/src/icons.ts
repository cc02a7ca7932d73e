/** The workbench's icons; their colours follow the theme. */

import { LabIcon } from '@jupyterlab/ui-components';

/** A small network: the sidebar, the launcher card, a bench's tab. */
export const workbenchIcon = new LabIcon({
  name: 'workbench:bench',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.6" stroke-linecap="round">
    <path d="M7.3 7.2 16.7 11.2M7.3 16.8 16.7 12.8"/>
  </g>
  <g class="jp-icon3" fill="#616161">
    <circle cx="5" cy="6" r="2.6"/><circle cx="5" cy="18" r="2.6"/><circle cx="19" cy="12" r="2.6"/>
  </g>
</svg>`
});

export const pauseIcon = new LabIcon({
  name: 'workbench:pause',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M7 5h4v14H7zM13 5h4v14h-4z"/>
</svg>`
});
