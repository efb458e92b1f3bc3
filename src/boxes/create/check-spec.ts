/**
 * Finds out at create what the agent would refuse at start.
 *
 * @module
 */
import { BoxSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { ImageConfig } from '../../oci/config.ts';
import { type Described, specDocument } from '../spec/box-spec.ts';

/** The longest document that the agent accepts. */
const MAX_SPEC = 4 * 1024 * 1024;
/** Room for disks, mounts and addresses, which are known only at start. */
const REST = 128 * 1024;
/** The kernel's bound for one argument or variable, its final NUL included. */
const MAX_STRING = 128 * 1024 - 1;

/**
 * @throws A3sError `invalid-image` where what does not fit comes from the image, else
 * `invalid-argument` or `too-large`
 */
export function checkSpec(definition: Described, image: ImageConfig): void {
  const document = specDocument(definition, {
    layers: [{ serial: 'layer-0' }],
    changes: { kind: 'disk', serial: 'changes' },
    mounts: [],
    network: { kind: 'none' },
  });
  const result = BoxSpec.safeParse(document);
  const [issue] = result.error?.issues ?? [];
  if (issue !== undefined) {
    throw refusal(document, issue.path, issue.message, image);
  }
  const { args, env } = document.process;
  const long = [...args, ...env].find((text) => Buffer.byteLength(text) > MAX_STRING);
  if (long !== undefined) {
    throw new A3sError(
      'too-large',
      `Cannot pass '${long.slice(0, 32)}…': an argument or variable has at most ${MAX_STRING} bytes`,
      { remedy: 'Pass it in a file.' },
    );
  }
  const size = Buffer.byteLength(JSON.stringify(document));
  if (size > MAX_SPEC - REST) {
    throw new A3sError(
      'too-large',
      `Cannot create the box: its arguments and variables take ${size} bytes, more than ${MAX_SPEC - REST}`,
      { remedy: 'Pass large values in files.' },
    );
  }
}

function refusal(
  document: BoxSpec,
  path: readonly PropertyKey[],
  message: string,
  image: ImageConfig,
): A3sError {
  const found = path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined,
    document,
  );
  const text = String(found);
  const given = [...image.env, ...image.entrypoint, ...image.cmd, image.user].includes(text);
  const directory = path.at(-1) === 'cwd' && text.endsWith(image.workingDir);
  const where = path.slice(1).map(String).join('.');
  const what = `${where} ${JSON.stringify(text.slice(0, 128))} ${message}`;
  return given || directory
    ? new A3sError('invalid-image', `Cannot use the image: its ${what}`, {
        remedy: 'Build the image anew without it, or override it.',
      })
    : new A3sError('invalid-argument', `Cannot create the box: ${what}`);
}
