/**
 * Policies' requirements of the signing key, of the chip, of the data that a report binds, and of
 * revocation.
 *
 * @module
 */
import { toHex } from '../../../attestation/src/hex.ts';
import { CHAIN, processor, REPORT_DATA } from '../processor.ts';
import { bad, type Case, NO_CRL, one, VLEK_POLICY, vlek } from './case.ts';

const CHIP = toHex(CHAIN.chip.id);
const OTHER_CHIP = 'c0'.repeat(64);

export const SIGNER: readonly Case[] = [
  one('signing-key', ['signing-key', 'csp-id'], 'A VLEK signed.', vlek()),
  one('signing-key-vcek', ['signing-key'], 'A VCEK signed.', {}, VLEK_POLICY),
  one('vlek', 'accepted', 'The VLEK of an allowed provider.', vlek(), VLEK_POLICY),
  one('csp-id', ['csp-id'], 'The VLEK of another provider.', vlek('other-csp'), VLEK_POLICY),
  one('csp-ids-none', ['csp-id'], 'No provider is nobody.', vlek(), { signingKeys: ['VLEK'] }),
  one('chip-masked', ['chip-masked'], 'The chip is hidden.', bad('masked-chip')),
  one('chip-masked-allowed', 'accepted', 'The policy allows it.', bad('masked-chip'), {
    allowMaskedChip: true,
  }),
  one(
    'chip-hidden-vlek',
    ['chip-masked'],
    'Under a VLEK no certificate names it.',
    vlek('hidden-chip'),
    VLEK_POLICY,
  ),
  one(
    'chip-hidden-vlek-allow',
    ['chip-allow'],
    'A chip that nobody tells is no allowed one.',
    vlek('hidden-chip'),
    { ...VLEK_POLICY, allowMaskedChip: true, chipAllow: [CHIP] },
  ),
  one('chip-allow', ['chip-allow'], 'Another chip is allowed.', {}, { chipAllow: [OTHER_CHIP] }),
  one('chip-allow-none', ['chip-allow'], 'No chip is nobody.', {}, { chipAllow: [] }),
  one('chip-allowed', 'accepted', 'This chip is allowed.', {}, { chipAllow: [OTHER_CHIP, CHIP] }),
  one(
    'chip-allowed-turin',
    'accepted',
    'A Turin by the 8 bytes of its chip.',
    { model: 'Turin' },
    { chipAllow: [CHIP.slice(0, 16).padEnd(128, '0')] },
  ),
  one('chip-deny', ['chip-deny'], 'This chip is denied.', {}, { chipDeny: [CHIP] }),
  one(
    'chip-deny-masked',
    ['chip-deny'],
    'Its certificate tells the chip that the report hides.',
    bad('masked-chip'),
    { allowMaskedChip: true, chipDeny: [CHIP] },
  ),
  one('chip-deny-another', 'accepted', 'Another chip is denied.', {}, { chipDeny: [OTHER_CHIP] }),
];

export const BINDING: readonly Case[] = [
  one('host-data', ['host-data'], 'Another configuration.', bad('other-host-data')),
  one('host-data-launched', ['host-data'], 'The host launched it so.', {
    launch: { hostData: new Uint8Array(32) },
  }),
  one(
    'host-data-not-said',
    ['host-data'],
    'The policy does not say which.',
    {},
    { hostData: undefined },
  ),
  one('host-data-any', 'accepted', 'Any, in so many words.', bad('other-host-data'), {
    hostData: 'any-explicit',
  }),
  one('report-data', ['report-data'], 'The answer to another challenge.', bad('other-report-data')),
  one(
    'report-data-not-said',
    ['report-data'],
    'Nobody says which.',
    {},
    {},
    { reportData: undefined },
  ),
  one(
    'report-data-by-policy',
    'accepted',
    'The policy says which.',
    {},
    { reportData: toHex(REPORT_DATA) },
    { reportData: undefined },
  ),
  one(
    'report-data-contradicted',
    ['report-data'],
    'Policy and caller say two things.',
    {},
    { reportData: '00'.repeat(64) },
  ),
  one(
    'report-data-any',
    'accepted',
    'Any, in so many words.',
    {},
    { reportData: 'any-explicit' },
    { reportData: undefined },
  ),
];

export const REVOCATION: readonly Case[] = [
  one('crl-required', ['crl-required'], 'No revocation list came along.', {}, {}, NO_CRL),
  one(
    'crl-not-required',
    'accepted',
    'The policy asks for none.',
    {},
    { crl: { required: false } },
    NO_CRL,
  ),
  one(
    'crl-age',
    ['crl-age'],
    'A list that was got nine days ago.',
    {},
    {},
    { crlObtainedAt: '2026-05-23T00:00:00Z' },
  ),
  one(
    'crl-age-reached',
    'accepted',
    'A list that was got seven days ago.',
    {},
    {},
    { crlObtainedAt: '2026-05-25T00:00:00Z' },
  ),
  one(
    'crl-age-of-tomorrow',
    ['crl-age'],
    'A list that will be got tomorrow.',
    {},
    {},
    { crlObtainedAt: '2026-06-02T00:00:00Z' },
  ),
  one(
    'crl-age-any',
    'accepted',
    'The policy does not ask how old.',
    {},
    { crl: { maxAgeDays: null } },
    { crlObtainedAt: '2026-01-02T00:00:00Z' },
  ),
  one(
    'crl-age-not-told',
    ['crl-age'],
    'Nobody tells when the list was got.',
    {},
    {},
    { crlObtainedAt: undefined },
  ),
  one(
    'crl-age-not-told-any',
    'accepted',
    'Nobody tells, and the policy does not ask.',
    {},
    { crl: { maxAgeDays: null } },
    { crlObtainedAt: undefined },
  ),
  one(
    'crl-number',
    ['crl-number'],
    'A list that a newer one has replaced.',
    {},
    { crl: { minNumber: { Milan: 2 } } },
    { crl: processor({ misbehave: ['rolled-back-crl'] }).crl() },
  ),
  one(
    'crl-number-reached',
    'accepted',
    'The least number.',
    {},
    { crl: { minNumber: { Milan: 1 } } },
    { crl: processor({ misbehave: ['rolled-back-crl'] }).crl() },
  ),
];
