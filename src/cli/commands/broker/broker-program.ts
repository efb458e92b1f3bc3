/**
 * The broker's program, which replaces this process: nothing of it is in the command line.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { A3sError } from '../../../errors.ts';
import { become } from '../../client/become.ts';
import { serviceEnvironment } from '../../client/start-server.ts';
import type { Context } from '../../context.ts';

/** @throws A3sError `tool-missing` where there was no build; otherwise it does not return */
export function becomeBroker(context: Context, args: readonly string[]): Promise<never> {
  const bundle = join(context.installDir, 'broker.cjs');
  if (!existsSync(bundle)) {
    throw new A3sError('tool-missing', `Cannot start the broker: ${bundle} is missing`, {
      remedy: 'Run npm run setup first.',
    });
  }
  const { env } = serviceEnvironment(context.env);
  return become(process.execPath, ['--', bundle, ...args], env, []);
}
