/**
 * The image of the confidential box: a program that proves that it has a secret, without showing
 * it.
 *
 * @module
 */
import { type BuiltImage, buildImage, busyboxImage } from '../../test/images/build-image.ts';

export const VAULT = 'quickstart/vault:latest';

/** What stands in the program's first block on its disk, where a host would change it. */
export const MARK = 'this program proves that it has its secret';

/** Longer than a block, so that its first block holds nothing but the program. */
const PADDING = `${'#'.repeat(99)}\n`.repeat(100);

/**
 * HMAC-SHA-256 of `$NONCE` under the 64 bytes that the secret spells in hexadecimal, which is one
 * block of the hash: so the key needs no hashing, and busybox is enough.
 */
const PROGRAM = `#!/bin/sh
# ${MARK}
set -eu
key=$(cat /run/secrets/token)
# Each octet of $1 in hexadecimal, XOR $2.
octets() {
  at=0
  while [ $at -lt \${#1} ]; do
    octet=$((0x\${1:$at:2} ^ $2))
    printf "\\\\$((octet / 64))$((octet / 8 % 8))$((octet % 8))"
    at=$((at + 2))
  done
}
digest() { sha256sum | cut -d ' ' -f 1; }
inner=$({ octets "$key" 0x36; printf %s "$NONCE"; } | digest)
echo "proof=$({ octets "$key" 0x5c; octets "$inner" 0; } | digest)"
exit 0
${PADDING}`;

/** Its layer says all of its directories, so that its disk depends on no other and has its name. */
export function vaultImage(): BuiltImage {
  const busybox = busyboxImage();
  const program = { path: 'bin/prove', mode: 0o755, data: Buffer.from(PROGRAM) };
  return buildImage({
    ...busybox,
    name: VAULT,
    layers: [...busybox.layers, [{ path: 'bin', type: 'directory', mode: 0o755 }, program]],
    config: { ...busybox.config, Cmd: ['/bin/prove'] },
  });
}
