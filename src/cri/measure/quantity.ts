/**
 * Kubernetes' quantities, as far as limits have them.
 *
 * @module
 */
import { invalid, quoted } from '../refusal.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
};
const MILLI = 1000;

/** @throws A3sError `invalid-argument` for what is no whole number of bytes */
export function bytesOf(field: string, quantity: string | number): number {
  const [, digits = '', unit = ''] = /^(\d{1,15})(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(`${quantity}`) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (digits !== '' && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw invalid(field, `${quoted(`${quantity}`)} is no number of bytes, such as 64Mi`);
}

/** @throws A3sError `invalid-argument` for what is no whole number of thousandths of a processor */
export function millisOf(field: string, quantity: string | number): number {
  const [, milli] = /^(\d{1,9})m$/.exec(`${quantity}`) ?? [];
  const [, whole, fraction = ''] = /^(\d{1,6})(?:\.(\d{1,3}))?$/.exec(`${quantity}`) ?? [];
  const millis =
    milli === undefined ? Number(whole) * MILLI + Number(fraction.padEnd(3, '0')) : Number(milli);
  // Kubelet gives no less than a hundredth of a processor.
  if (Number.isSafeInteger(millis) && millis >= 10) return millis;
  throw invalid(
    field,
    `${quoted(`${quantity}`)} is no number of processors, such as 500m, of 10m or more`,
  );
}
