/** The workbench in JupyterLab: one small plugin per thing it adds. */

import { commandsPlugin } from './plugins/commands';
import { launcherPlugin } from './plugins/launcher';
import { outputsPlugin } from './plugins/outputs';
import { runsPlugin } from './plugins/runs';
import { sidebarPlugin } from './plugins/sidebar';
import { tabsPlugin } from './plugins/tabs';

export { IRuns, type LiveRun } from './tokens';

export default [
  runsPlugin,
  outputsPlugin,
  commandsPlugin,
  tabsPlugin,
  sidebarPlugin,
  launcherPlugin
];
