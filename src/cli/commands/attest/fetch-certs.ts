import type { Command, Invocation } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { bool, byName, type Flag, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { jsonText } from '../../output/json-text.ts';
import { printFailure } from '../../print-failure.ts';
import { UsageError } from '../../usage-error.ts';
import { parseTimeLimit } from '../../values/times/duration.ts';
import { cacheDirectory, openCache } from './endorsements/cached-endorsements.ts';
import { exportCache, importIntoCache } from './endorsements/exchange-cache.ts';
import {
  type Fetched,
  type FetchedCrl,
  type FetchedVcek,
  Fetcher,
} from './endorsements/fetcher.ts';
import { parseProduct, wantedVcek } from './endorsements/wanted-vcek.ts';
import { REPORT_FLAGS } from './input/evidence-input.ts';
import { failureOf, tellingPrograms } from './json-failure.ts';
import { type Library, loadLibrary } from './load-library.ts';

const TIMEOUT_MS = 60_000;

const FLAGS: readonly Flag[] = byName([
  string('chip-id', 'CHIP_ID of the processor, with --product and --tcb', { value: 'hex' }),
  bool('crl', 'Get revocation lists alone: those of --product, or of all products'),
  string('export', 'Write the cache to a file, for a machine without a network', { value: 'file' }),
  string('import', "Read a file of --export, or a directory of Trustee's offline store", {
    value: 'file',
  }),
  bool('json', 'Print a JSON document'),
  string('kds-url', 'Base URL of a mirror; what it serves is verified all the same', {
    value: 'url',
  }),
  string('product', 'Product line: Milan, Genoa or Turin', { value: 'name' }),
  ...REPORT_FLAGS,
  string('tcb', 'Reported TCB, as bl=4,tee=0,snp=24,ucode=213; on Turin with fmc=1', {
    value: 'levels',
  }),
  string('timeout', 'Longest time for all of it, such as 30s; a minute if not given', {
    value: 'time',
  }),
]);

export const fetchCerts: Command = {
  usage: '[OPTIONS] --report FILE | --product NAME --chip-id HEX --tcb LEVELS | --crl',
  description: [
    'Get the certificate of a chip, and the revocation list over who issued it, from the key',
    'distribution service of AMD into the cache that verify reads. They are verified before they are kept.',
    'Exits with 0, with 1 if something could not be got, and with 2 for unusable input.',
  ].join('\n'),
  flags: FLAGS,
  operands: { min: 0, max: 0 },
  run: tellingPrograms(async (invocation) => {
    const mode = modeOf(invocation.flags);
    const library = await loadLibrary();
    const now = new Date();
    switch (mode) {
      case 'export':
        return exportCache(invocation, library, now);
      case 'import':
        return importIntoCache(invocation, library, now);
      case 'crl':
        return fetchCrls(invocation, library, now);
      case 'vcek':
        return fetchVcek(invocation, library, now);
    }
  }),
};

type Mode = 'export' | 'import' | 'crl' | 'vcek';

/** The operation that the flags choose; two operations at once are a mistake. */
function modeOf(flags: FlagValues): Mode {
  const asked = (['export', 'import', 'crl', 'report', 'chip-id'] as const).filter((name) =>
    flags.given(name),
  );
  const [first, second] = asked;
  if (first === undefined) {
    throw new UsageError('Cannot fetch: no report, processor or revocation list is named', {
      remedy: 'Use --report FILE, or --product, --chip-id and --tcb, or --crl.',
    });
  }
  if (second !== undefined) {
    throw new UsageError(`--${first} and --${second} cannot be used together`);
  }
  return first === 'report' || first === 'chip-id' ? 'vcek' : first;
}

async function fetchVcek(invocation: Invocation, library: Library, now: Date): Promise<number> {
  const wanted = await wantedVcek(invocation, library);
  return fetching(invocation, library, now, async (fetcher, results) => {
    const got = await results.add('vceks', () => fetcher.vcek(wanted));
    if (got) await results.add('crls', () => fetcher.crl('VCEK', wanted.product));
  });
}

async function fetchCrls(invocation: Invocation, library: Library, now: Date): Promise<number> {
  const product = invocation.flags.parsed('product', parseProduct);
  const products = product === undefined ? (['Milan', 'Genoa', 'Turin'] as const) : [product];
  return fetching(invocation, library, now, async (fetcher, results) => {
    for (const each of products) {
      await results.add('crls', () => fetcher.crl('VCEK', each));
      await results.add('crls', () => fetcher.crl('VLEK', each));
    }
  });
}

/** The results: fetched documents and failures. */
class Results {
  readonly vceks: FetchedVcek[] = [];
  readonly crls: FetchedCrl[] = [];
  readonly failures: InputError[] = [];

  /** Whether it was got. */
  async add<Kind extends 'vceks' | 'crls'>(
    kind: Kind,
    get: () => Promise<Results[Kind][number]>,
  ): Promise<boolean> {
    try {
      const list: Results[Kind][number][] = this[kind];
      list.push(await get());
      return true;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.failures.push(error);
      return false;
    }
  }
}

/**
 * Prints the fetched and kept documents, and the failures, which are distinguished from unusable
 * input.
 */
async function fetching(
  { context, flags }: Invocation,
  library: Library,
  now: Date,
  fetch: (fetcher: Fetcher, results: Results) => Promise<void>,
): Promise<number> {
  const timeout = flags.parsed('timeout', parseTimeLimit) ?? TIMEOUT_MS;
  const store = await openCache(context, library);
  const kds = flags.parsed('kds-url', (baseUrl) => client(library, timeout, baseUrl));
  const fetcher = new Fetcher(library, store, kds ?? client(library, timeout), now, timeout);
  const results = new Results();
  await fetch(fetcher, results);
  const { failures, ...fetched } = results;
  const directory = await cacheDirectory(context);
  context.stdout.write(
    flags.bool('json')
      ? jsonText({ directory, ...fetched, failures: failures.map(failureOf) })
      : describeFetched(fetched, directory),
  );
  for (const failure of failures) printFailure(context, failure);
  return failures.length === 0 ? 0 : 1;
}

function client(
  library: Library,
  timeout: number,
  baseUrl?: string,
): InstanceType<Library['KdsClient']> {
  const attemptTimeout = Math.min(timeout, library.KDS_LIMITS.attemptTimeout);
  return new library.KdsClient({ baseUrl, limits: { timeout, attemptTimeout } });
}

/** What was fetched, for people; empty where it is nothing. */
function describeFetched({ vceks, crls }: Fetched, directory: string): string {
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
