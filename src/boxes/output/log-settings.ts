/**
 * Turns Docker's `--log-driver` and `--log-opt` into the settings of a box's log.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { DEFAULT_LOGGING, type LogSettings } from '../record/box.ts';

/** Options that every driver of Docker's takes. */
const COMMON = ['mode'];
const KEPT = ['max-size', 'max-file', 'compress'];
/** Options of Docker's json-file driver alone: what `logs --details` shows. */
const SHOWN = ['labels', 'env'];
/** Options that Docker has, and that are unsupported here. */
const UNSUPPORTED = ['labels-regex', 'env-regex', 'tag', 'max-buffer-size'];

const LOCAL_BYTES = 20 * 1024 * 1024;
const LOCAL_FILES = 5;
const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 },
};

/**
 * @param driver empty: the default one
 * @throws A3sError `invalid-argument` in Docker's words; `unsupported-option` for what Docker would
 * accept
 */
export function parseLogSettings(
  driver: string,
  options: Readonly<Record<string, string>>,
): LogSettings {
  switch (driver) {
    case '':
    case 'json-file':
      return jsonFile(options);
    case 'local':
      return local(options);
    case 'none':
      if (Object.keys(options).length > 0) throw invalid('invalid logging opts for driver none');
      return { ...DEFAULT_LOGGING, driver: 'none' };
    default:
      throw new A3sError(
        'invalid-argument',
        `logger: no log driver named '${driver.slice(0, 100)}' is registered`,
        { remedy: 'Choose json-file, local or none.' },
      );
  }
}

function jsonFile(options: Readonly<Record<string, string>>): LogSettings {
  const known = [...COMMON, ...KEPT, ...SHOWN];
  checkNames(options, known, (name) => `unknown log opt '${name}' for json-file log driver`);
  const maxBytes = bytesOf(options['max-size']);
  const maxFiles = filesOf(options['max-file']) ?? 1;
  const compress = switchOf(options['compress']) ?? false;
  if (compress && (maxFiles === 1 || maxBytes === undefined)) {
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  return {
    ...{ driver: 'json-file', options: { ...options }, maxFiles, compress },
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}

function local(options: Readonly<Record<string, string>>): LogSettings {
  const known = [...COMMON, ...KEPT];
  checkNames(options, known, (name) => `unknown log opt '${name}' for log driver local`);
  const maxBytes = bytesOf(options['max-size']) ?? LOCAL_BYTES;
  const maxFiles = filesOf(options['max-file']) ?? LOCAL_FILES;
  const compress = switchOf(options['compress']) ?? true;
  if (compress && maxFiles === 1) {
    throw invalid('compression cannot be enabled when max file count is 1');
  }
  return { driver: 'local', options: { ...options }, maxBytes, maxFiles, compress };
}

function checkNames(
  options: Readonly<Record<string, string>>,
  known: readonly string[],
  unknown: (name: string) => string,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (!UNSUPPORTED.includes(name)) throw invalid(unknown(name.slice(0, 100)));
    throw new A3sError('unsupported-option', `log opt '${name}' is not supported`, {
      remedy: `Leave it out; there are ${known.join(', ')}.`,
    });
  }
  const mode = options['mode'];
  if (mode === 'non-blocking') {
    throw new A3sError('unsupported-option', "log opt 'mode=non-blocking' is not supported", {
      remedy: 'Leave it out: nobody who reads a log holds up a box.',
    });
  }
  if (mode !== undefined && mode !== '' && mode !== 'blocking') {
    throw invalid(`logger: logging mode not supported: ${mode.slice(0, 100)}`);
  }
}

/** As Docker reads sizes here: in powers of 1000, whatever the unit is called. */
function bytesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,15}(?:\.\d{1,15})?) ?([kmgtp]?)i?b?$/i.exec(text);
  if (match === null) throw invalid(`invalid size: '${text.slice(0, 100)}'`);
  const bytes = Math.floor(Number(match[1]) * (UNITS[match[2]?.toLowerCase() ?? ''] ?? 1));
  if (bytes <= 0) throw invalid('max-size must be a positive number');
  return Math.min(bytes, Number.MAX_SAFE_INTEGER);
}

function filesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    throw invalid(`invalid value for max-file: ${text.slice(0, 100)}`);
  }
  if (Number(text) < 1) throw invalid('max-file cannot be less than 1');
  return Number(text);
}

/** The spellings of a boolean in Go. */
function switchOf(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw invalid(`invalid value for compress: ${text.slice(0, 100)}`);
}

function invalid(message: string): A3sError {
  return new A3sError('invalid-argument', message);
}
