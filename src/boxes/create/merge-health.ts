/**
 * The definition of a box's health check, merged from request and image.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { ImageConfig } from '../../oci/config.ts';
import type { HealthCheck } from '../record/box.ts';
import type { HealthRequest } from './create-request.ts';

const MILLISECOND = 1_000_000;
const SECOND = 1000 * MILLISECOND;
const DEFAULTS = { interval: 30 * SECOND, timeout: 30 * SECOND, startInterval: 5 * SECOND };
const DEFAULT_RETRIES = 3;
/** The longest argument that the kernel accepts. */
const MAX_TEST = 128 * 1024 - 1;
const NOTHING: HealthRequest = {
  ...{ test: [], interval: 0, timeout: 0 },
  ...{ startPeriod: 0, startInterval: 0, retries: 0 },
};
const TIMES = {
  interval: 'Interval',
  timeout: 'Timeout',
  startPeriod: 'StartPeriod',
  startInterval: 'StartInterval',
} as const;

/**
 * What the request leaves out comes from the image, and then from Docker's defaults. Undefined
 * where nothing is checked.
 *
 * @throws A3sError `invalid-argument` in Docker's words, `invalid-image` for what the image says
 */
export function mergeHealth(
  request: HealthRequest | undefined,
  image: Pick<ImageConfig, 'healthcheck' | 'shell'>,
): HealthCheck | undefined {
  if (request !== undefined) validate(request, 'invalid-argument');
  const merged = inheriting(request, image);
  if (!isProbe(merged.test)) return undefined;
  validate(merged, 'invalid-image');
  return {
    test: withShell(merged.test, image.shell),
    interval: merged.interval || DEFAULTS.interval,
    timeout: merged.timeout || DEFAULTS.timeout,
    startPeriod: merged.startPeriod,
    startInterval: merged.startInterval || DEFAULTS.startInterval,
    retries: merged.retries || DEFAULT_RETRIES,
    asked: shown(merged),
  };
}

/**
 * What `inspect` shows of a check that never runs: of `NONE`, and, as in Docker, of an unknown
 * type. Undefined for others.
 */
export function inertHealth(
  request: HealthRequest | undefined,
  image: Pick<ImageConfig, 'healthcheck' | 'shell'>,
): HealthCheck['asked'] | undefined {
  const merged = inheriting(request, image);
  return merged.test.length === 0 || isProbe(merged.test) ? undefined : shown(merged);
}

/**
 * Whether a program is run for the check. A list that begins with none of Docker's types names no
 * program.
 */
export function isProbe([kind]: readonly string[]): boolean {
  return kind === 'CMD' || kind === 'CMD-SHELL';
}

function inheriting(
  request: HealthRequest | undefined,
  image: Pick<ImageConfig, 'healthcheck'>,
): HealthRequest & { readonly test: string[] } {
  const inherited = image.healthcheck ?? NOTHING;
  const asked = request ?? NOTHING;
  return {
    test: [...(asked.test.length > 0 ? asked.test : inherited.test)],
    interval: asked.interval || inherited.interval,
    timeout: asked.timeout || inherited.timeout,
    startPeriod: asked.startPeriod || inherited.startPeriod,
    startInterval: asked.startInterval || inherited.startInterval,
    retries: asked.retries || inherited.retries,
  };
}

function validate(check: HealthRequest, code: 'invalid-argument' | 'invalid-image'): void {
  for (const [key, name] of Object.entries(TIMES)) {
    const value = check[key as keyof typeof TIMES];
    if (!Number.isSafeInteger(value) || (value !== 0 && value < MILLISECOND)) {
      throw new A3sError(code, `${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  const { retries, test } = check;
  if (!Number.isSafeInteger(retries) || retries < 0) {
    throw new A3sError(code, 'Retries in Healthcheck cannot be negative');
  }
  const [kind = '', ...words] = test;
  if (!isProbe(test)) return;
  if (words.length === 0 || (kind === 'CMD-SHELL' && words.length > 1)) {
    throw new A3sError(code, `A health check of the type '${kind.slice(0, 32)}' needs a command`);
  }
  const size = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (size > MAX_TEST || words.some((word) => word.includes('\0'))) {
    throw new A3sError(code, `The command of a health check has at most ${MAX_TEST} bytes, none 0`);
  }
}

/** Runs a `CMD-SHELL` check by the image's own shell, where the image has one. */
function withShell(test: string[], shell: readonly string[] | undefined): string[] {
  const [kind, line = ''] = test;
  if (kind !== 'CMD-SHELL' || shell === undefined || shell.length === 0) return test;
  return ['CMD', ...shell, line];
}

/** As Docker shows it: values that were not given are left out. */
function shown({ test, retries, ...times }: HealthRequest): HealthCheck['asked'] {
  const said = Object.entries(TIMES).flatMap(([key, name]) => {
    const value = times[key as keyof typeof TIMES];
    return value === 0 ? [] : [[name, value] as const];
  });
  return {
    Test: [...test],
    ...Object.fromEntries(said),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}
