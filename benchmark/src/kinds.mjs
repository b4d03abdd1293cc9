/** The kinds of results: how each is printed, what its pictures are, and where it is in the pages. */
import { drawCharts } from './charts.mjs';
import { formatReadme, formatShort } from './readme.mjs';
import { formatMarkdown, formatReport } from './report.mjs';
import { drawScalingCharts } from './scaling/charts.mjs';
import { formatScalingMarkdown } from './scaling/report.mjs';
import { drawSoakCharts } from './soak/charts.mjs';
import { formatSoakMarkdown, formatSoakReport } from './soak/report.mjs';

/**
 * `images`: the prefix of its pictures' names. `sections`: the parts of pages between marks; `format` is called with
 * the result, a function that embeds a picture by its name, and a sentence about where all figures are.
 */
export const KINDS = {
  comparison: {
    report: formatReport,
    draw: drawCharts,
    images: 'benchmark',
    sections: [
      { page: 'docs/benchmarks.md', mark: 'measured', format: formatShort },
      { page: 'docs/benchmarks.md', mark: 'results', format: withSource(formatMarkdown) },
      {
        page: 'README.md',
        mark: 'measured',
        format: (result, picture) => formatReadme(result, picture('readme')),
      },
    ],
  },
  // For contributors only: no page shows it.
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

/** The kind of a result; results without one are older than the second kind. */
export function kindOf({ kind = 'comparison' }) {
  return KINDS[kind];
}

function withSource(format) {
  return (result, picture, source) => `${format(result, picture)}\n\n${source}`;
}
