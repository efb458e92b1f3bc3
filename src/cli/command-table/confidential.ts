/**
 * The commands of confidential boxes: their boot sets, their measurements and their evidence.
 *
 * @module
 */
import { entry, type Group, UNUSABLE } from '../command-entry.ts';

const measure = entry(
  'Compute what a confidential box will be, and the policy that accepts it',
  async () => (await import('../commands/confidential/measure.ts')).measure,
);

const injectSecret = entry(
  'Deliver secrets into a confidential box that is verified',
  async () => (await import('../commands/confidential/inject-secret.ts')).injectSecret,
);

const seal = entry(
  'Have a confidential box that is verified seal a value',
  async () => (await import('../commands/confidential/seal.ts')).seal,
);

const unseal = entry(
  'Have a confidential box that is verified open what it sealed',
  async () => (await import('../commands/confidential/unseal.ts')).unseal,
);

export const CONFIDENTIAL_COMMANDS = { 'inject-secret': injectSecret, measure, seal, unseal };

export const pods: Group = {
  summary: 'Measure confidential pods of Kubernetes',
  commands: {
    measure: entry(
      'Compute what a confidential pod will be, and the policy that accepts it',
      async () => (await import('../commands/pod/measure.ts')).measurePod,
    ),
  },
};

export const attest: Group = {
  summary: 'Verify, measure and explain SEV-SNP attestation evidence',
  usageStatus: UNUSABLE,
  commands: {
    verify: entry(
      'Verify evidence and hold it against a policy',
      async () => (await import('../commands/attest/verify.ts')).verify,
    ),
    box: entry(
      'Challenge a confidential box and hold its evidence against a policy',
      async () => (await import('../commands/ratls/attest-box.ts')).attestBox,
    ),
    app: entry(
      'Challenge the confidential boxes of an application of docker compose',
      async () => (await import('../commands/ratls/attest-app.ts')).attestApp,
    ),
    ear: entry(
      'Verify an attestation result that a verifier signed',
      async () => (await import('../commands/attest/ear/ear.ts')).ear,
    ),
    show: entry(
      'Display what a report claims, without verifying it',
      async () => (await import('../commands/attest/show.ts')).show,
    ),
    measure: entry(
      'Compute the launch digest of a guest',
      async () => (await import('../commands/attest/measure.ts')).measure,
    ),
    explain: entry(
      'Find out why a launch digest is not the one that was computed',
      async () => (await import('../commands/attest/explain.ts')).explain,
    ),
    'fetch-certs': entry(
      'Get certificates and revocation lists of AMD into the cache',
      async () => (await import('../commands/attest/fetch-certs.ts')).fetchCerts,
    ),
  },
};

export const policy: Group = {
  summary: 'Check attestation policies',
  usageStatus: UNUSABLE,
  commands: {
    check: entry(
      'Check an attestation policy and display what it means',
      async () => (await import('../commands/policy/check.ts')).check,
    ),
  },
};

const bootLs = entry(
  'List boot sets',
  async () => (await import('../commands/boot/ls.ts')).listBoots,
);
const bootRm = entry(
  'Remove one or more imported boot sets',
  async () => (await import('../commands/boot/remove.ts')).removeBoots,
);

export const boots: Group = {
  summary: 'Manage boot sets: firmware, kernel and initrd that boxes boot from',
  commands: {
    export: entry(
      'Write a boot set to a tar archive',
      async () => (await import('../commands/boot/export.ts')).exportBoot,
    ),
    import: entry(
      'Take in a boot set from an archive or a directory',
      async () => (await import('../commands/boot/import.ts')).importBoot,
    ),
    inspect: entry(
      'Display what one or more boot sets are made of',
      async () => (await import('../commands/boot/inspect.ts')).inspectBoot,
    ),
    ls: bootLs,
    list: bootLs,
    rm: bootRm,
    remove: bootRm,
    sign: entry(
      'Sign the ID block of a boot set',
      async () => (await import('../commands/boot/sign.ts')).signBoot,
    ),
    verify: entry(
      'Verify the files, the launch and the signature of a boot set',
      async () => (await import('../commands/boot/verify.ts')).verifyBoot,
    ),
  },
};
