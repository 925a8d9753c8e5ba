import { LabIcon } from '@jupyterlab/ui-components';

const OPEN = '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">';
const LINE =
  'class="jp-icon3" stroke="#616161" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"';

/** Two branches out of one node: the product, and a flow. */
export const flowIcon = new LabIcon({
  name: 'promptstudio:flow',
  svgstr: `${OPEN}<g fill="none"><path ${LINE} d="M8.500 12H10c1.500 0 2-.8 2-2.200V8.200C12 6.800 12.600 6 14 6h1M10 12c1.500 0 2 .8 2 2.200v1.600c0 1.400.6 2.200 2 2.200h1"/></g><g class="jp-icon3" fill="#616161"><rect x="2" y="9" width="7" height="6" rx="1.800"/><rect x="15" y="3" width="7" height="6" rx="1.800"/><rect x="15" y="15" width="7" height="6" rx="1.800"/></g></svg>`
});

/** Braces around a variable. */
export const templateIcon = new LabIcon({
  name: 'promptstudio:template',
  svgstr: `${OPEN}<g fill="none"><path ${LINE} d="M8.500 4.500C6.500 4.500 6 5.500 6 7v2.500C6 11 5.500 12 4 12c1.500 0 2 1 2 2.500V17c0 1.500.5 2.500 2.500 2.500M15.500 4.500c2 0 2.500 1 2.500 2.500v2.500c0 1.500.5 2.500 2 2.500-1.500 0-2 1-2 2.500V17c0 1.500-.5 2.500-2.500 2.500M10.200 12h3.600"/></g></svg>`
});

/** A flask. */
export const roomIcon = new LabIcon({
  name: 'promptstudio:lab',
  svgstr: `${OPEN}<g fill="none"><path ${LINE} d="M9 3.500h6M10.200 3.500v6L5 18.200a1.500 1.500 0 0 0 1.300 2.300h11.400a1.500 1.500 0 0 0 1.300-2.300L13.800 9.500v-6M7.500 15h9"/></g></svg>`
});

/** A database. */
export const warehouseIcon = new LabIcon({
  name: 'promptstudio:warehouse',
  svgstr: `${OPEN}<g fill="none"><path ${LINE} d="M4.500 6c0-1.400 3.400-2.500 7.500-2.500s7.500 1.100 7.500 2.500-3.400 2.500-7.500 2.500S4.500 7.400 4.500 6zM4.500 6v12c0 1.400 3.400 2.500 7.500 2.500s7.500-1.100 7.500-2.500V6M4.500 12c0 1.400 3.400 2.500 7.500 2.500s7.500-1.100 7.500-2.500"/></g></svg>`
});
