/**
 * The time until a box answers a command. The command goes through the API, so that the start of a
 * second command line does not count.
 *
 * @module
 */
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import type { Actor } from '../test/e2e/actor.ts';

export function apiOf(actor: Actor): Docker {
  return new Docker({ socketPath: actor.socket });
}

/** Runs `true` in a box, to its end. */
export async function answers(docker: Docker, box: string): Promise<void> {
  const exec = await docker
    .getContainer(box)
    .exec({ Cmd: ['true'], AttachStdout: true, AttachStderr: true });
  await text(await exec.start({}));
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new Error(`a command in ${box} ended with ${ExitCode}`);
}
