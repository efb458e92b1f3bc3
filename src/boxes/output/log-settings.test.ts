import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { LogSettings } from '../record/box.ts';
import { parseLogSettings } from './log-settings.ts';

it.each([
  ['', {}, { driver: 'json-file', maxBytes: undefined, maxFiles: 1, compress: false }],
  ['json-file', { 'max-size': '10k' }, { maxBytes: 10_000, maxFiles: 1, compress: false }],
  ['json-file', { 'max-size': '1.5mb', 'max-file': '3' }, { maxBytes: 1_500_000, maxFiles: 3 }],
  ['json-file', { 'max-size': '1g', 'max-file': '2', compress: 'true' }, { compress: true }],
  ['json-file', { 'max-size': '20MiB' }, { maxBytes: 20_000_000 }],
  [
    'json-file',
    { labels: 'a,b', env: 'C', mode: 'blocking' },
    { options: { labels: 'a,b', env: 'C', mode: 'blocking' } },
  ],
  ['local', {}, { driver: 'local', maxBytes: 20 * 2 ** 20, maxFiles: 5, compress: true }],
  ['local', { compress: 'f', 'max-file': '1' }, { maxFiles: 1, compress: false }],
  ['none', {}, { driver: 'none' }],
])('reads the log driver %s with options %j', (driver, options, settings) => {
  expect(parseLogSettings(driver, options)).toMatchObject(
    JSON.parse(JSON.stringify(settings)) as object,
  );
});

it.each([
  ['syslog', {}, 'invalid-argument', "logger: no log driver named 'syslog' is registered"],
  [
    'json-file',
    { nope: '1' },
    'invalid-argument',
    "unknown log opt 'nope' for json-file log driver",
  ],
  ['local', { labels: 'x' }, 'invalid-argument', "unknown log opt 'labels' for log driver local"],
  ['none', { 'max-size': '1m' }, 'invalid-argument', 'invalid logging opts for driver none'],
  ['json-file', { 'max-size': '0' }, 'invalid-argument', 'max-size must be a positive number'],
  ['json-file', { 'max-size': '-1' }, 'invalid-argument', "invalid size: '-1'"],
  ['json-file', { 'max-size': 'big' }, 'invalid-argument', "invalid size: 'big'"],
  ['json-file', { 'max-file': '0' }, 'invalid-argument', 'max-file cannot be less than 1'],
  ['json-file', { 'max-file': '-3' }, 'invalid-argument', 'max-file cannot be less than 1'],
  ['json-file', { 'max-file': 'x' }, 'invalid-argument', 'invalid value for max-file: x'],
  ['json-file', { compress: 'maybe' }, 'invalid-argument', 'invalid value for compress: maybe'],
  [
    'json-file',
    { compress: 'true', 'max-size': '1m' },
    'invalid-argument',
    /^compress cannot be true/,
  ],
  [
    'local',
    { 'max-file': '1' },
    'invalid-argument',
    'compression cannot be enabled when max file count is 1',
  ],
  ['json-file', { mode: 'fast' }, 'invalid-argument', 'logger: logging mode not supported: fast'],
  ['json-file', { mode: 'non-blocking' }, 'unsupported-option', /mode=non-blocking/],
  ['json-file', { tag: '{{.ID}}' }, 'unsupported-option', /'tag'/],
  ['json-file', { 'max-buffer-size': '4m' }, 'unsupported-option', /'max-buffer-size'/],
])('refuses the log driver %s with options %j', (driver, options, code, message) => {
  const parse = () => parseLogSettings(driver, JSON.parse(JSON.stringify(options)));
  expect(parse).toThrow(expect.objectContaining({ code }));
  expect(parse).toThrow(message);
});

const names = fc.constantFrom('max-size', 'max-file', 'compress', 'mode', 'labels', '__proto__');
const values = fc.oneof(
  fc.string(),
  fc.stringMatching(/^-?\d{0,20}\.?\d{0,3} ?[kKmMgGtTpP]?i?[bB]?$/),
);

fuzz.prop([fc.constantFrom('', 'json-file', 'local'), fc.dictionary(names, values)], fuzzRuns())(
  'parses or refuses any log options',
  (driver, options) => {
    try {
      expect(LogSettings.safeParse(parseLogSettings(driver, options)).success).toBe(true);
    } catch (error) {
      if (!(error instanceof A3sError)) throw error;
    }
  },
);
