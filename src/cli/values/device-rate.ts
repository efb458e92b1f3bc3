/**
 * `--device-read-bps PATH:RATE`, `--blkio-weight-device PATH:WEIGHT` and similar flags. A box
 * writes to one disk, which is its root.
 *
 * @module
 */
import type { DeviceRate } from '../../docker-api/containers/limits.ts';
import { UsageError } from '../usage-error.ts';
import { parseBytes } from './size.ts';

/** The one disk of a box. */
const ROOT = '/dev/root';

/** Bytes a second, such as `/dev/root:1mb`. @throws RangeError; UsageError for another device */
export function parseByteRate(text: string): DeviceRate {
  const format =
    '<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb';
  return parse(text, format, parseBytes);
}

/** Operations a second, such as `/dev/root:100`. @throws the same */
export function parseOperationRate(text: string): DeviceRate {
  return parse(text, '<device-path>:<number>. Number must be a positive integer', (rate) =>
    /^\d{1,15}$/.test(rate) ? Number(rate) : Number.NaN,
  );
}

export interface DeviceWeight {
  readonly Path: string;
  readonly Weight: number;
}

/**
 * Such as `/dev/sda:500`; of any device, since the server discards it.
 *
 * @throws RangeError in Docker's words
 */
export function parseDeviceWeight(text: string): DeviceWeight {
  const [, Path, weight = ''] = /^([^:]*):([^:]*)$/.exec(text) ?? [];
  if (Path === undefined) throw new RangeError(`bad format: ${text}`);
  if (!Path.startsWith('/dev/')) throw new RangeError(`bad format for device path: ${text}`);
  const Weight = /^\d{1,4}$/.test(weight) ? Number(weight) : -1;
  if (Weight === 0 || (Weight >= 10 && Weight <= 1000)) return { Path, Weight };
  throw new RangeError(`invalid weight for device: ${text}`);
}

function parse(text: string, format: string, read: (rate: string) => number): DeviceRate {
  const [, Path, rate] = /^([^:]*):([^:]*)$/.exec(text) ?? [];
  if (Path === undefined || rate === undefined) throw new RangeError(`bad format: ${text}`);
  if (!Path.startsWith('/dev/')) throw new RangeError(`bad format for device path: ${text}`);
  if (Path !== ROOT) {
    throw new UsageError(`unsupported device ${Path}: the one disk of a box is ${ROOT}`, {
      code: 'unsupported-option',
      remedy: `Write it as ${ROOT}:RATE.`,
    });
  }
  const Rate = readRate(rate, read);
  if (Number.isNaN(Rate)) {
    throw new RangeError(`invalid rate for device: ${text}. The correct format is ${format}`);
  }
  return { Path, Rate };
}

function readRate(rate: string, read: (rate: string) => number): number {
  try {
    return read(rate);
  } catch (error) {
    if (error instanceof RangeError) return Number.NaN;
    throw error;
  }
}
