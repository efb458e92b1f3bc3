/**
 * The field `EgressSecrets` of a create document, from its flags.
 *
 * @module
 */
import type { EgressSecretBody } from '../../docker-api/a3s/egress.ts';
import type { Invocation } from '../command.ts';
import { inputName, readInput } from '../files/input-file.ts';
import { UsageError } from '../usage-error.ts';

const FLAG = '--egress-secret';
/** Of a value, with a line break at its end. */
const MAX_FILE = 4098;

/**
 * @returns undefined where no flag asks for one
 * @throws UsageError for what cannot be read, and never with the content of a file
 */
export async function egressSecrets({
  context,
  flags,
}: Pick<Invocation, 'context' | 'flags'>): Promise<EgressSecretBody[] | undefined> {
  const asked = flags.parsedList('egress-secret', parse);
  if (asked.length === 0) return undefined;
  const secrets: EgressSecretBody[] = [];
  for (const { path, ...secret } of asked) {
    const bytes = await readInput(context, path, MAX_FILE, FLAG);
    const value = Buffer.from(bytes)
      .toString('latin1')
      .replace(/\r?\n$/, '');
    if (!/^[!-~]([ -~]*[!-~])?$/.test(value) || value.length < 8) {
      throw new UsageError(
        `${FLAG}: ${inputName(path)} is not one line of 8 or more printable ASCII characters`,
      );
    }
    secrets.push({ ...secret, Value: value });
  }
  return secrets;
}

interface Asked extends Pick<EgressSecretBody, 'Name' | 'Host' | 'Header'> {
  readonly path: string;
}

function parse(text: string): Asked {
  const [head = '', ...options] = text.split(',');
  const [, Name, path] = /^([A-Za-z_][A-Za-z0-9_]{0,127})=@(.+)$/.exec(head) ?? [];
  const given = new Map<string, string>();
  for (const option of options) {
    const [, key, value] = /^(host|header)=(.+)$/.exec(option) ?? [];
    // The whole text may have a value that was meant to be in a file.
    if (key === undefined || value === undefined || given.has(key)) throw malformed();
    given.set(key, value);
  }
  const Host = given.get('host');
  if (Name === undefined || path === undefined || Host === undefined) throw malformed();
  const Header = given.get('header');
  return { Name, Host, path, ...(Header === undefined ? {} : { Header }) };
}

function malformed(): UsageError {
  return new UsageError(
    `${FLAG}: write NAME=@FILE,host=HOST or NAME=@FILE,host=HOST,header=HEADER`,
    {
      remedy: 'The value is read from the file: other users can see the arguments of a program.',
    },
  );
}
