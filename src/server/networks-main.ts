/**
 * The program that makes an ordinary user's networks: wiring only. It starts in that user's
 * namespaces, and is given the place where they are held, that of its files, and the jails that the
 * server has.
 *
 * @module
 */
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { readConfig } from '../config.ts';
import { setLeastJail } from '../jail/spawn.ts';
import { NamespaceNetworks } from '../networks/host/namespace-networks.ts';
import type { Message } from '../networks/rootless/messages.ts';
import { answerTo, logTo } from '../networks/rootless/serve-networks.ts';
import { readSystemRoots, rootsFiles } from '../registry/hosts/system-roots.ts';

function main([, program = '', directory = '.', places = '.']: readonly string[]): void {
  process.umask(0o077);
  setFlagsFromString('--optimize-for-size');
  const installation = join(program, '..');
  setLeastJail(readConfig(process.env, 0, installation).leastJail);
  const tell = (message: Message): void => void process.send?.(message);
  const networks = new NamespaceNetworks(
    places,
    logTo(tell),
    {
      bundle: join(installation, 'egress.cjs'),
      // Read at each start of a program: an authority that was removed is not trusted any more.
      roots: () => readSystemRoots(rootsFiles(process.env)),
    },
    'root-of-namespace',
  );
  const answer = answerTo(tell, networks, directory);
  process.on('message', (message) => void answer(message));
  // The next server starts another one, and what this one does not finish is put in order then.
  process.on('disconnect', () => process.exit());
}

main(process.argv);
