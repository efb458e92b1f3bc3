import { describe, expect, it } from 'vitest';
import { asJson, table } from './report.ts';
import { alone, compared } from './statistics.ts';

const ROWS = [
  compared('run-warm', 'ms', [300, 310], { name: 'podman run', samples: [120, 125] }, '<= 2.5'),
  alone('density-server', 'MiB', [45.9], '< 150'),
];

describe('the report', () => {
  it('prints benchmark results as a table', () => {
    expect(table(ROWS)).toBe(
      [
        'benchmark       n  p50       p95   against            ratio  aim',
        'run-warm        2  300 ms    310   podman run 120 ms  2.50   <= 2.5',
        'density-server  1  45.9 MiB  45.9                            < 150',
      ].join('\n'),
    );
  });

  it('prints benchmark results as JSON with numbers', () => {
    const [first] = ROWS;
    expect(JSON.parse(asJson({ cores: 2 }, ROWS))).toEqual({
      machine: { cores: 2 },
      results: [
        {
          name: 'run-warm',
          unit: 'ms',
          n: 2,
          p50: 300,
          p95: 310,
          against: 'podman run 120 ms',
          ratio: 2.5,
          aim: '<= 2.5',
        },
        {
          name: 'density-server',
          unit: 'MiB',
          n: 1,
          p50: 45.9,
          p95: 45.9,
          against: '',
          ratio: null,
          aim: '< 150',
        },
      ],
    });
    expect(Object.keys(first ?? {})).toHaveLength(8);
  });

  it('omits additional fields of a row from the JSON', () => {
    const rows = ROWS.map((row) => ({ ...row, figures: [1, 2] }));
    const { results } = JSON.parse(asJson({}, rows)) as { results: object[] };
    for (const result of results) expect(result).not.toHaveProperty('figures');
  });
});
