/** The picture of a soak: the resident memory of both processes over its time, a panel for each candidate. */
import { drawTimes } from '../drawing-lines.mjs';
import { inThemes } from '../drawing.mjs';
import { grouped } from '../format.mjs';
import { curve, CURVES, SETTLED_SECONDS } from './samples.mjs';

const TITLE = 'Resident memory over time, in MiB';

/** @returns {Promise<{ name: string, title: string, svg: Record<string, string> }[]>} each for every theme */
export async function drawSoakCharts({ soaks }) {
  if (soaks.length === 0) return [];
  const panels = soaks.map(({ candidate, perSecond, samples }) => ({
    title: `${candidate}, ${grouped(perSecond)} requests/s`,
    values: CURVES.filter(({ memory }) => memory === 'resident').flatMap(({ process, column }) =>
      curve(samples, column).map(({ seconds, value }) => ({ x: seconds / 60, y: value, process })),
    ),
  }));
  const mark = { x: SETTLED_SECONDS / 60, label: 'from here on the slope is taken' };
  const svg = await inThemes((theme) => drawTimes({ title: TITLE, panels, mark }, theme));
  return [{ name: 'resident', title: TITLE, svg }];
}
