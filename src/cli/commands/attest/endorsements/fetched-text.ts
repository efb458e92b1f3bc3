/**
 * Prints the documents that `fetch-certs` has fetched, for people.
 *
 * @module
 */
import type { Fetched, FetchedCrl, FetchedVcek } from './fetcher.ts';

/** Nothing where there is none. */
export function describeFetched({ vceks, crls }: Fetched, directory: string): string {
  const lines = [...vceks.map(vcekLine), ...crls.map(crlLine)];
  return lines.length === 0 ? '' : `${lines.join('\n')}\nKept in ${directory}\n`;
}

function vcekLine({ product, hwid, tcb, notAfter, source }: FetchedVcek): string {
  const levels = Object.entries(tcb).map(([name, level]) => `${name} ${level}`);
  const from = source === 'cache' ? 'it was in the cache already' : 'fetched and verified';
  return `VCEK of ${product} chip ${hwid}, ${levels.join(', ')}, valid until ${notAfter}: ${from}`;
}

function crlLine({ kind, product, number, nextUpdate }: FetchedCrl): string {
  return `Revocation list of ${product} for ${kind}s, number ${number}, current until ${nextUpdate}: fetched and verified`;
}
