import { expect, it } from 'vitest';
import { afterMeasure } from './measure-arguments.ts';

it.each([
  [['measure'], [], []],
  [['-f', 'measure', 'measure', 'api'], ['-f', 'measure'], ['api']],
  [['-p', '--help', 'measure'], ['-p', '--help'], []],
  [
    ['--file=a', '-p', 'x', '--dry-run', 'measure', '--policy-out', 'd'],
    ['--file=a', '-p', 'x', '--dry-run'],
    ['--policy-out', 'd'],
  ],
])('parts %j', (args, before, after) => {
  expect(afterMeasure(args)).toEqual({ before, after });
});

it.each([
  ...[[[]], [['up', 'measure']], [['-f', 'measure']], [['--file', 'x', 'config']], [['-f']]],
  ...[[['--help', 'measure']], [['-p', 'x', '-v', 'measure']]],
])('leaves %j to docker compose', (args) => {
  expect(afterMeasure(args)).toBeUndefined();
});
