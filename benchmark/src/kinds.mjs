/** The kinds of results: how each reads in a terminal, what its pictures are, and where in the pages it stands. */
import { drawCharts } from './charts.mjs';
import { formatReadme } from './readme.mjs';
import { formatMarkdown, formatReport } from './report.mjs';
import { drawScalingCharts } from './scaling/charts.mjs';
import { formatScalingMarkdown } from './scaling/report.mjs';
import { drawSoakCharts } from './soak/charts.mjs';
import { formatSoakMarkdown, formatSoakReport } from './soak/report.mjs';

/**
 * `images`: what the names of its pictures begin with. `sections`: the parts of pages between marks, `format` being
 * called with the result, a function that writes the picture of a name, and a sentence about where all figures are.
 */
export const KINDS = {
  comparison: {
    report: formatReport,
    draw: drawCharts,
    images: 'benchmark',
    sections: [
      { page: 'docs/benchmarks.md', mark: 'results', format: withSource(formatMarkdown) },
      {
        page: 'README.md',
        mark: 'measured',
        format: (result, picture) => formatReadme(result, picture('readme')),
      },
    ],
  },
  // For those who change the code: no page has it.
  against: { report: formatReport, draw: () => [], images: 'against', sections: [] },
  scaling: {
    report: formatReport,
    draw: drawScalingCharts,
    images: 'scaling',
    sections: [{ page: 'docs/scaling.md', mark: 'results', format: withSource(formatScalingMarkdown) }],
  },
  soak: {
    report: formatSoakReport,
    draw: drawSoakCharts,
    images: 'soak',
    sections: [{ page: 'docs/scaling.md', mark: 'soak', format: withSource(formatSoakMarkdown) }],
  },
};

/** The kind of a result; those that do not say are from before there was more than one. */
export function kindOf({ kind = 'comparison' }) {
  return KINDS[kind];
}

function withSource(format) {
  return (result, picture, source) => `${format(result, picture)}\n\n${source}`;
}
