/**
 * Policies' requirements of processor, report and guest.
 *
 * @module
 */
import { hostDataOf } from '../../../policies/src/launch-spec/host-data.ts';
import { allowing, bad, type Case, one } from './case.ts';

/** As measured agents take it for a privileged box alone. */
const MARKED = hostDataOf('ab'.repeat(32), true);
const PRIVILEGED = { launch: { hostData: new Uint8Array(Buffer.from(MARKED, 'hex')) } };

export const PROCESSORS: readonly Case[] = [
  one('milan', 'accepted', 'A good Milan.'),
  one('genoa', 'accepted', 'A good Genoa.', { model: 'Genoa' }),
  one('bergamo', 'accepted', 'A good Bergamo, with microcode of its own.', { model: 'Bergamo' }),
  one('turin', 'accepted', 'A good Turin.', { model: 'Turin' }),
  one('milan-v3', 'accepted', 'A report of version 3.', { reportVersion: 3 }),
  one('milan-v4', 'accepted', 'A report of version 4.', { reportVersion: 4 }),
  one('tee-hardware', ['tee'], 'The policy is for hardware.', {}, { tee: 'sev-snp' }),
  one(
    'tee-not-said',
    ['tee'],
    'A policy is for hardware unless it says otherwise.',
    {},
    { tee: undefined },
  ),
  one(
    'product',
    ['allowed-product'],
    'The policy is for another product.',
    {},
    { products: ['Genoa', 'Turin'] },
  ),
  one('products-none', ['allowed-product'], 'No product is nobody.', {}, { products: [] }),
  one(
    'report-version-2',
    ['allowed-version', 'alias-check'],
    'Version 2 tells neither processor nor alias check.',
    { reportVersion: 2 },
  ),
  one(
    'report-version-2-allowed',
    ['alias-check'],
    'The alias check is asked for all the same.',
    { reportVersion: 2 },
    { reportVersions: [2] },
  ),
  one(
    'report-version-5-only',
    ['allowed-version'],
    'Version 5 is asked for.',
    { reportVersion: 3 },
    { reportVersions: [5] },
  ),
];

export const GUEST: readonly Case[] = [
  one('debug', ['debug'], 'The host may debug the guest.', bad('debug')),
  one('debug-launched', ['debug'], 'The guest was launched so.', allowing(0xb0000n)),
  one('debug-allowed', 'accepted', 'The policy allows it.', bad('debug'), { allowDebug: true }),
  one(
    'migration-agent-allowed',
    ['migration-agent'],
    'The guest may have a migration agent.',
    bad('migration-agent-allowed'),
  ),
  one(
    'migration-agent',
    ['migration-agent'],
    'The guest has a migration agent.',
    bad('migration-agent'),
  ),
  one('migration-agent-accepted', 'accepted', 'The policy allows it.', bad('migration-agent'), {
    allowMigrationAgent: true,
  }),
  one('privileged', ['privileged'], 'The box is privileged.', PRIVILEGED, { hostData: MARKED }),
  one(
    'privileged-any-host-data',
    ['privileged'],
    'Whatever the launch spec says, and it says that the box is privileged.',
    PRIVILEGED,
    { hostData: 'any-explicit' },
  ),
  one('privileged-allowed', 'accepted', 'The policy allows it.', PRIVILEGED, {
    hostData: MARKED,
    allowPrivileged: true,
  }),
  one(
    'privileged-allowed-plain',
    'accepted',
    'The box is not privileged.',
    {},
    {
      allowPrivileged: true,
    },
  ),
  one('vmpl-1', ['vmpl'], 'Code of less privilege asked for it.', bad('vmpl-1')),
  one('vmpl-2-requested', ['vmpl'], 'It was asked for so.', { request: { vmpl: 2 } }),
  one(
    'vmpl-2-expected',
    'accepted',
    'As the policy expects.',
    { request: { vmpl: 2 } },
    { vmpl: 2 },
  ),
  one('vmpl-0-for-2', ['vmpl'], 'More privilege than expected is as wrong.', {}, { vmpl: 2 }),
  one('smt-by-guest', ['smt'], 'The guest allows SMT.', {}, { allowSmt: false }),
  one(
    'smt-on-platform',
    ['smt'],
    'The platform has SMT on.',
    { ...allowing(0x20000n), misbehave: ['smt-on'] },
    { allowSmt: false },
  ),
  one('smt-off', 'accepted', 'SMT is off on both sides.', allowing(0x20000n), { allowSmt: false }),
  one('smt-allowed', 'accepted', 'The policy allows SMT unless it says otherwise.', bad('smt-on')),
  one('cxl', ['cxl'], 'The guest may lie in memory behind CXL.', bad('cxl-allowed')),
  one(
    'single-socket',
    ['single-socket'],
    'The guest may span sockets.',
    {},
    { requireSingleSocket: true },
  ),
  one('single-socket-held', 'accepted', 'The guest stays on one.', allowing(0x130000n), {
    requireSingleSocket: true,
  }),
  one(
    'page-swap',
    ['page-swap'],
    'The host may swap pages.',
    {},
    { requirePageSwapDisabled: true },
  ),
  one('page-swap-disabled', 'accepted', 'It may not.', allowing(0x2030000n), {
    requirePageSwapDisabled: true,
  }),
  one(
    'memory-aes-256-xts',
    ['memory-aes-256-xts'],
    'Any encryption of memory will do for the guest.',
    {},
    { requireMemoryAes256Xts: true },
  ),
  one('memory-aes-256-xts-held', 'accepted', 'It asks for AES-256-XTS.', allowing(0x430000n), {
    requireMemoryAes256Xts: true,
  }),
];
