/** The pictures of how cost grows with the work: a panel for each series. */
import { drawSteps } from '../drawing-lines.mjs';
import { inThemes } from '../drawing.mjs';
import { grouped, significant } from '../format.mjs';
import { SERIES } from './series.mjs';

const CHARTS = [
  {
    name: 'throughput',
    title: 'Messages per second (logarithmic)',
    of: ({ perSecond }) => perSecond,
    format: grouped,
  },
  {
    name: 'cpu',
    title: 'CPU time of client and server per message, in µs (logarithmic)',
    of: ({ clientCpu, serverCpu }) => (clientCpu ?? 0) + (serverCpu ?? 0),
    format: significant,
  },
];

/**
 * Draws the pictures of a result, for series with more than one measured step.
 *
 * @returns {Promise<{ name: string, title: string, svg: Record<string, string> }[]>} each for every theme
 */
export async function drawScalingCharts(result) {
  const pictures = CHARTS.map(async ({ name, title, of, format }) => {
    const panels = SERIES.flatMap((series) => panel(result, series, { of, format }));
    if (panels.length === 0) return [];
    return [{ name, title, svg: await inThemes((theme) => drawSteps({ title, panels }, theme)) }];
  });
  return (await Promise.all(pictures)).flat();
}

function panel({ workloads, summary }, { title, axis, steps, point }, { of, format }) {
  const measured = steps.filter(({ name }) => summary.some(({ workload }) => workload === name));
  const values = measured.flatMap(({ name }) => {
    const { candidates } = summary.find(({ workload }) => workload === name);
    const x = point(workloads.find((workload) => workload.name === name));
    return Object.entries(candidates)
      .map(([candidate, figures]) => ({ x, candidate, y: of(figures) }))
      .filter(({ y }) => y > 0)
      .map((value) => ({ ...value, label: format(value.y) }));
  });
  const points = new Set(values.map(({ x }) => x));
  return points.size > 1 ? [{ title, axis, values }] : [];
}
