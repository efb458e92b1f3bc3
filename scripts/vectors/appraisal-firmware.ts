/**
 * What policies ask of platform and firmware.
 *
 * @module
 */
import { allowing, bad, type Case, one } from './appraisal-case.ts';

export const PLATFORM: readonly Case[] = [
  one(
    'alias-check',
    ['alias-check'],
    'Nobody looked for aliases in memory.',
    bad('no-alias-check'),
  ),
  one('alias-check-waived', 'accepted', 'The policy does not ask.', bad('no-alias-check'), {
    requireAliasCheck: false,
  }),
  one(
    'ciphertext-hiding',
    ['ciphertext-hiding'],
    'The host can read ciphertext.',
    {},
    { requireCiphertextHiding: true },
  ),
  one(
    'ciphertext-hiding-unasked',
    ['ciphertext-hiding'],
    'It is on by chance: the guest does not ask for it.',
    { platformInfo: 0x34n },
    { requireCiphertextHiding: true },
  ),
  one(
    'ciphertext-hiding-on',
    'accepted',
    'The guest asks for it, and it is on.',
    { ...allowing(0x1030000n), platformInfo: 0x34n },
    { requireCiphertextHiding: true },
  ),
  one('rapl', ['rapl'], 'The host can read power.', {}, { requireRaplDisabled: true }),
  one(
    'rapl-disabled',
    'accepted',
    'The guest asks for it, and power readings are off.',
    { ...allowing(0x830000n), platformInfo: 0x2cn },
    { requireRaplDisabled: true },
  ),
  one('ecc', ['ecc'], 'Memory has no error correction.', bad('no-ecc'), { requireEcc: true }),
  one('ecc-on', 'accepted', 'It has.', {}, { requireEcc: true }),
  one('tio', ['tio'], 'Devices may be trusted.', { model: 'Turin', misbehave: ['tio-on'] }),
  one(
    'tio-allowed',
    'accepted',
    'The policy allows it.',
    { model: 'Turin', misbehave: ['tio-on'] },
    { allowTio: true },
  ),
  one('tio-on-milan', ['tio', 'platform-info'], 'Milan has no such bit.', bad('tio-on')),
  one(
    'iommu-write-safe',
    ['iommu-write-safe'],
    'A Turin whose IOMMU is not write-safe.',
    { model: 'Turin', platformInfo: 0x24n },
    { requireIommuWriteSafe: true },
  ),
  one(
    'iommu-write-safe-on',
    'accepted',
    'It is.',
    { model: 'Turin' },
    { requireIommuWriteSafe: true },
  ),
  one(
    'platform-info-unknown',
    ['platform-info'],
    'Something is on that nobody knows.',
    bad('unknown-platform-bits'),
  ),
  one(
    'platform-info-masked',
    'accepted',
    'The policy lets it pass.',
    bad('unknown-platform-bits'),
    { allowUnknownPlatformInfo: '0x10000000000' },
  ),
  one('platform-info-of-turin', ['platform-info'], 'A Milan sets a bit of Turin.', {
    platformInfo: 0x64n,
  }),
];

export const FIRMWARE: readonly Case[] = [
  one(
    'old-tcb',
    ['tcb-reported', 'tcb-launch', 'tcb-committed'],
    'Firmware of long ago.',
    bad('old-tcb'),
  ),
  one(
    'old-tcb-genoa',
    ['tcb-reported', 'tcb-launch', 'tcb-committed'],
    'Firmware of long ago on a Genoa.',
    { model: 'Genoa', misbehave: ['old-tcb'] },
  ),
  one(
    'old-tcb-bergamo',
    ['tcb-reported', 'tcb-launch', 'tcb-committed'],
    'Firmware of long ago on a Bergamo.',
    { model: 'Bergamo', misbehave: ['old-tcb'] },
  ),
  one(
    'old-tcb-turin',
    ['tcb-reported', 'tcb-launch', 'tcb-committed'],
    'Firmware of long ago on a Turin.',
    { model: 'Turin', misbehave: ['old-tcb'] },
  ),
  one(
    'tcb-reported',
    ['tcb-reported'],
    'The host reports less than it has.',
    bad('old-reported-tcb'),
  ),
  one('tcb-launch', ['tcb-launch'], 'The guest was launched long ago.', bad('old-launch-tcb')),
  one(
    'tcb-committed',
    ['tcb-committed', 'provisional-firmware'],
    'The host can go back to long ago.',
    bad('old-committed-tcb'),
  ),
  one(
    'tcb-one-level',
    ['tcb-reported'],
    'Newer microcode does not outweigh older firmware.',
    {},
    {
      minTcb: { milan: { bl: 4, tee: 0, snp: 26, ucode: 0 } },
      minLaunchTcb: { milan: { bl: 0, tee: 0, snp: 0, ucode: 0 } },
      minCommittedTcb: { milan: { bl: 0, tee: 0, snp: 0, ucode: 0 } },
    },
  ),
  one(
    'tcb-class-missing',
    ['tcb-reported', 'tcb-launch', 'tcb-committed'],
    'The policy has no minimum for a Bergamo.',
    { model: 'Bergamo' },
    { minTcb: { genoa: { bl: 0, tee: 0, snp: 0, ucode: 0 } } },
  ),
  one(
    'tcb-order-reported',
    ['tcb-order'],
    'A report of more than runs.',
    bad('reported-above-current'),
  ),
  one(
    'tcb-order-committed',
    ['tcb-order', 'provisional-firmware'],
    'Committed to more than runs.',
    bad('committed-above-current'),
  ),
  one(
    'provisional-firmware',
    ['provisional-firmware'],
    'The host can take back what runs.',
    bad('provisional-firmware'),
  ),
  one(
    'provisional-firmware-permitted',
    'accepted',
    'The policy permits it.',
    bad('provisional-firmware'),
    { permitProvisionalFirmware: true },
  ),
  one(
    'provisional-firmware-above',
    ['tcb-order', 'provisional-firmware'],
    'Permitted is below what runs, never above.',
    bad('committed-above-current'),
    { permitProvisionalFirmware: true },
  ),
  one('firmware-version', ['firmware-version'], 'A version of long ago.', bad('old-firmware')),
  one(
    'firmware-build',
    ['firmware-version'],
    'A build below the least.',
    {},
    { minFirmware: '1.55.32' },
  ),
  one('firmware-build-reached', 'accepted', 'The least build.', {}, { minFirmware: '1.55.31' }),
  one(
    'mitigations',
    ['mitigations-launch', 'mitigations-current'],
    'None of the mitigations.',
    bad('no-mitigations'),
    { minMitigationVector: '0x1' },
  ),
  one(
    'mitigations-launch',
    ['mitigations-launch'],
    'Launched before they were in force.',
    bad('no-mitigations-at-launch'),
    { minMitigationVector: '0x1' },
  ),
  one(
    'mitigations-one-missing',
    ['mitigations-launch', 'mitigations-current'],
    'One more than there are.',
    {},
    { minMitigationVector: '0x7f' },
  ),
  one(
    'mitigations-before-version-5',
    ['mitigations-launch', 'mitigations-current'],
    'Version 3 does not tell.',
    { reportVersion: 3 },
    { minMitigationVector: 1 },
  ),
  one(
    'mitigations-held',
    'accepted',
    'All that are asked for.',
    {},
    { minMitigationVector: '0x3f' },
  ),
];
