/** The workbench's icons; their colours follow the theme. */

import { LabIcon } from '@jupyterlab/ui-components';

const NETWORK = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.6" stroke-linecap="round"
    d="M7.3 7.2 16.7 11.2M7.3 16.8 16.7 12.8"/>
  <g class="jp-icon3" fill="#616161">
    <circle cx="5" cy="6" r="2.6"/><circle cx="5" cy="18" r="2.6"/><circle cx="19" cy="12" r="2.6"/>
  </g>
</svg>`;

/** A small network: the sidebar, a bench's tab, the commands. */
export const workbenchIcon = new LabIcon({ name: 'workbench:bench', svgstr: NETWORK });

/**
 * The same as a picture, for the launcher's card: among the notebooks it takes only pictures, so its
 * blue is fixed; it is readable on light and dark.
 */
export const cardPicture =
  'data:image/svg+xml,' + encodeURIComponent(NETWORK.replaceAll('#616161', '#1e88e5'));

export const pauseIcon = new LabIcon({
  name: 'workbench:pause',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M7 5h4v14H7zM13 5h4v14h-4z"/>
</svg>`
});
