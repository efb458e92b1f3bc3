/**
 * The rate of the host's time stamp counter, at which that of an emulated processor runs too.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';

const CLOCK = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
const PROCESSORS = '/proc/cpuinfo';
/**
 * With these the kernel has the counter's rate, and computes from it how many loops take how long,
 * which is what it calls BogoMIPS. Otherwise it counts loops.
 */
const BY_THE_COUNTER = ['tsc', 'kvm-clock'];
const KHZ_PER_MHZ = 1000;
const MOST_MHZ = 10_000;

/** In kHz; undefined where the kernel does not tell. */
export async function hostTscKhz(): Promise<number | undefined> {
  const [clock, processors] = await Promise.all(
    [CLOCK, PROCESSORS].map((path) => readFile(path, 'latin1').catch(() => '')),
  );
  return parseTscKhz(clock ?? '', processors ?? '');
}

/**
 * Rounded to MHz, so that it is the same at each of the host's boots. A guest's kernel refines a
 * rate that is less than a hundredth off by itself.
 */
export function parseTscKhz(clock: string, processors: string): number | undefined {
  const [first = ''] = processors.split('\n\n', 1);
  const flags = /^flags\s*: (.*)$/m.exec(first)?.[1]?.split(' ') ?? [];
  if (!BY_THE_COUNTER.includes(clock.trim()) || !flags.includes('constant_tsc')) return undefined;
  // A loop is two instructions.
  const mhz = Math.round(Number(/^bogomips\s*: (\d+\.\d+)$/m.exec(first)?.[1]) / 2);
  return mhz > 0 && mhz < MOST_MHZ ? mhz * KHZ_PER_MHZ : undefined;
}
