/**
 * When a box is there: as soon as a command in it has been answered. Asked through the API, since a second command
 * line's start is no part of it.
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
