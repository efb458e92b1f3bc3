/**
 * The commands of images and their signatures.
 *
 * @module
 */
import { entry, type Group, UNUSABLE } from '../command-entry.ts';

const images = entry(
  'List images',
  async () => (await import('../commands/image/images.ts')).images,
);
const history = entry(
  'Show the history of an image',
  async () => (await import('../commands/image/history.ts')).history,
);
const importImage = entry(
  'Import the contents from a tarball to create a filesystem image',
  async () => (await import('../commands/image/import.ts')).importImage,
);
const inspectImage = entry(
  'Display detailed information on one or more images',
  async () => (await import('../commands/system/inspect.ts')).inspectImage,
);
const load = entry(
  'Load an image from a tar archive, an OCI layout directory, or STDIN',
  async () => (await import('../commands/image/load.ts')).load,
);
const login = entry(
  'Log in to a registry',
  async () => (await import('../commands/registry/login.ts')).login,
);
const logout = entry(
  'Log out from a registry',
  async () => (await import('../commands/registry/logout.ts')).logout,
);
const pruneImages = entry(
  'Remove unused images',
  async () => (await import('../commands/image/prune-images.ts')).pruneImages,
);
const pull = entry(
  'Download an image from a registry',
  async () => (await import('../commands/image/pull.ts')).pull,
);
const push = entry(
  'Upload an image to a registry',
  async () => (await import('../commands/image/push.ts')).push,
);
const rmi = entry(
  'Remove one or more images',
  async () => (await import('../commands/image/remove.ts')).rmi,
);
const save = entry(
  'Save one or more images to a tar archive (streamed to STDOUT by default)',
  async () => (await import('../commands/image/save.ts')).save,
);
const tag = entry(
  'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  async () => (await import('../commands/image/tag.ts')).tag,
);

/** Commands that also exist at the top level. */
export const IMAGE_COMMANDS = {
  images,
  history,
  import: importImage,
  load,
  login,
  logout,
  pull,
  push,
  rmi,
  save,
  tag,
};

export const image: Group = {
  summary: 'Manage images',
  commands: {
    history,
    import: importImage,
    inspect: inspectImage,
    load,
    ls: images,
    list: images,
    prune: pruneImages,
    pull,
    push,
    rm: rmi,
    remove: rmi,
    save,
    tag,
    verify: entry(
      'Hold an image against the image policy',
      async () => (await import('../commands/trust/image-verify.ts')).verifyImage,
    ),
    sign: entry(
      'Sign an image with a private key',
      async () => (await import('../commands/trust/image-sign.ts')).signImage,
    ),
    attest: entry(
      'Sign a statement about an image with a private key',
      async () => (await import('../commands/trust/image-attest.ts')).attestImage,
    ),
    attestations: entry(
      'List the attestations of an image, without trusting them',
      async () => (await import('../commands/trust/image-attestations.ts')).listAttestations,
    ),
  },
};

export const trust: Group = {
  summary: 'Explain which images are trusted',
  usageStatus: UNUSABLE,
  commands: {
    explain: entry(
      'Explain what the image policy makes of an image',
      async () => (await import('../commands/trust/trust-explain.ts')).explainTrust,
    ),
  },
};
