/**
 * Says that a host has no SEV-SNP before anything else is asked of a user or a registry.
 *
 * @module
 */
import type { Host } from '../../docker-api/a3s/host.ts';
import { A3sError } from '../../errors.ts';
import { objectOf, objectsOf, stringOf } from '../client/json.ts';
import type { Invocation } from '../command.ts';
import { TEE_FLAG } from '../flags/confidential-flags.ts';

/** What the host's report says of its standard boot set. */
const OF_BOOT_SET = /^the boot set /;

/** Does nothing unless the box shall run with `--tee snp`. @throws A3sError `tee-unavailable` */
export async function requireSnp({ context, flags }: Invocation): Promise<void> {
  if (flags.string(TEE_FLAG.name) !== 'snp') return;
  const client = await context.connect();
  const host = objectOf<Host>(await client.json({ method: 'GET', path: '/a3s/v1/host' }));
  const reports = objectsOf(host.engines)
    .flatMap((engine) => objectsOf(engine.tees))
    .filter((tee) => tee.name === 'sev-snp');
  if (reports.some((tee) => tee.available === true)) return;
  const lacks = reports
    .flatMap((tee) => stringOf(tee.reason).split('; '))
    // The firmware is then that of another set.
    .filter((lack) => !(flags.given('boot') && OF_BOOT_SET.test(lack)));
  if (reports.length > 0 && lacks.length === 0) return;
  throw new A3sError(
    'tee-unavailable',
    `cannot run it: this host has no SEV-SNP: ${lacks.join('; ') || 'no engine can use it'}`,
    {
      remedy:
        'Run it on a host that has it, or with --tee simulate, which protects nothing and is for development.',
    },
  );
}
