/**
 * Signals by name and number.
 *
 * @module
 */
import { constants } from 'node:os';
import { A3sError } from '../../errors.ts';

const NUMBERS: Readonly<Record<string, number>> = constants.signals;
const MAX_SIGNAL = 64;

/**
 * The form that the agent takes: a name with `SIG`, or a number.
 *
 * @param text `TERM`, `sigterm`, `SIGTERM`, `15`, `RTMIN+3`
 * @throws A3sError `invalid-argument`
 */
export function parseSignal(text: string): string {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= MAX_SIGNAL) return String(number);
    throw invalidSignal(text);
  }
  const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  if (Object.hasOwn(NUMBERS, name) || /^SIGRTM(IN(\+\d{1,2})?|AX(-\d{1,2})?)$/.test(name)) {
    return name;
  }
  throw invalidSignal(text);
}

/** Whether no process can block or handle it. */
export function isKill(signal: string): boolean {
  return signal === 'SIGKILL' || signal === '9';
}

/**
 * The signal's name, also where it was given by number: two spellings would make two launch specs.
 *
 * @param signal as `parseSignal` returns it
 * @throws A3sError `invalid-argument` for a number that has no name
 */
export function signalName(signal: string): string {
  if (!/^\d+$/.test(signal)) return signal;
  const found = Object.entries(NUMBERS).find(([, number]) => String(number) === signal);
  if (found === undefined) throw invalidSignal(signal);
  return found[0];
}

/** Its number where the platform has one, for events. */
export function signalNumber(signal: string): string {
  return String(NUMBERS[signal] ?? signal);
}

function invalidSignal(text: string): A3sError {
  return new A3sError('invalid-argument', `Invalid signal: ${text.slice(0, 64)}`);
}
