/**
 * How the output of a box is kept, from Docker's driver and its options.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { DEFAULT_LOGGING, type LogSettings } from '../box.ts';

const DRIVERS = ['json-file', 'local', 'none'] as const;
const MIB = 1024 * 1024;
const UNITS = { '': 1, b: 1, k: 1024, m: MIB, g: 1024 * MIB };

/** @param driver empty is the default. @throws A3sError `unsupported-option`, `invalid-argument` */
export function parseLogSettings(
  driver: string,
  options: Readonly<Record<string, string>>,
): LogSettings {
  const name = DRIVERS.find((known) => known === (driver || DEFAULT_LOGGING.driver));
  if (name === undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: HostConfig.LogConfig is not supported: the log driver ${driver.slice(0, 64)} is none of ${DRIVERS.join(', ')}`,
    );
  }
  const local = name === 'local';
  const settings = {
    driver: name,
    options: { ...options },
    maxBytes: local ? 20 * MIB : undefined,
    maxFiles: local ? 5 : 1,
    compress: local,
  };
  for (const [key, value] of Object.entries(options)) {
    const known = name !== 'none' && ['max-size', 'max-file', 'compress'].includes(key);
    if (!known) {
      throw new A3sError(
        'unsupported-option',
        `unknown log opt '${key.slice(0, 64)}' for ${name} log driver`,
      );
    }
    if (key === 'max-size') settings.maxBytes = bytes(value);
    else if (key === 'max-file') settings.maxFiles = count(value);
    else settings.compress = truth(value);
  }
  if (settings.maxFiles > 1 && settings.maxBytes === undefined) {
    throw new A3sError('invalid-argument', 'max-file must be 1 while max-size is not set');
  }
  const { maxBytes, ...rest } = settings;
  return maxBytes === undefined ? rest : { ...rest, maxBytes };
}

function bytes(text: string): number | undefined {
  if (text === '-1') return undefined;
  const [, number = '', unit = ''] =
    /^(\d{1,12}(?:\.\d{1,6})?) ?([bkmg]?)(?:i?b)?$/i.exec(text) ?? [];
  const found = Object.entries(UNITS).find(([name]) => name === unit.toLowerCase())?.[1] ?? 1;
  const size = Math.floor(Number(number) * found);
  if (number !== '' && size >= 1 && Number.isSafeInteger(size)) return size;
  throw new A3sError('invalid-argument', `invalid size: '${text.slice(0, 64)}' for max-size`);
}

function count(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new A3sError('invalid-argument', `invalid value for max-file: '${text.slice(0, 64)}'`);
}

function truth(text: string): boolean {
  if (['true', '1'].includes(text)) return true;
  if (['false', '0'].includes(text)) return false;
  throw new A3sError('invalid-argument', `invalid value for compress: '${text.slice(0, 64)}'`);
}
