import { describe, expect, it } from 'vitest';
import { asJson, table } from './report.ts';
import { alone, compared } from './statistics.ts';

const ROWS = [
  compared('run-warm', 'ms', [300, 310], { name: 'podman run', samples: [120, 125] }, '<= 2.5'),
  alone('density-server', 'MiB', [45.9], '< 150'),
];

describe('the report', () => {
  it('is a table for people', () => {
    expect(table(ROWS)).toBe(
      [
        'benchmark       n  p50       p95   against            ratio  aim',
        'run-warm        2  300 ms    310   podman run 120 ms  2.50   <= 2.5',
        'density-server  1  45.9 MiB  45.9                            < 150',
      ].join('\n'),
    );
  });

  it('is a document for programs, where numbers are numbers', () => {
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

  it('carries no field that a row happens to have besides', () => {
    const rows = ROWS.map((row) => ({ ...row, figures: [1, 2] }));
    const { results } = JSON.parse(asJson({}, rows)) as { results: object[] };
    for (const result of results) expect(result).not.toHaveProperty('figures');
  });
});
