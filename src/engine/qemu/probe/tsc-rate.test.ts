import { expect, it } from 'vitest';
import { hostTscKhz, parseTscKhz } from './tsc-rate.ts';

function processors(bogomips: string, flags = 'fpu tsc constant_tsc rep_good'): string {
  const one = `processor\t: 0\ncpu MHz\t\t: 3400.000\nflags\t\t: ${flags}\nbogomips\t: ${bogomips}\n`;
  return `${one}TLB size\t: 1024 4K pages\n\n${one.replaceAll(bogomips, '1.00')}\n`;
}

it.each(['tsc', 'kvm-clock'])('reads the rate of the counter where %s is the clock', (clock) => {
  expect(parseTscKhz(`${clock}\n`, processors('5192.28'))).toBe(2_596_000);
});

it('rounds the rate, which a host’s kernel measures anew at each boot', () => {
  expect(parseTscKhz('tsc\n', processors('4799.96'))).toBe(2_400_000);
  expect(parseTscKhz('tsc\n', processors('4800.31'))).toBe(2_400_000);
});

it.each([
  ['the clock is another', 'hpet\n', processors('5192.28')],
  ['there is no clock', '', processors('5192.28')],
  ['the counter follows the frequency', 'tsc\n', processors('5192.28', 'fpu tsc notconstant_tsc')],
  ['BogoMIPS are no number', 'tsc\n', processors('none')],
  ['BogoMIPS are none', 'tsc\n', processors('0.00')],
  ['BogoMIPS are too many', 'tsc\n', processors('99999.00')],
  ['there are no processors', 'tsc\n', ''],
])('knows no rate where %s', (_, clock, text) => {
  expect(parseTscKhz(clock, text)).toBeUndefined();
});

it('gives this host’s rate in MHz, or none', async () => {
  expect(((await hostTscKhz()) ?? 0) % 1000).toBe(0);
});
