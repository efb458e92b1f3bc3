/**
 * Runs podman in the namespaces that `podman.ts` made. Ends with the process that starts it.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { finish } from '../../test/e2e/actor.ts';
import type { PeerAnswer, PeerQuestion } from './podman.ts';

async function answer({ id, program, args, env, deadlineMs }: PeerQuestion): Promise<void> {
  const { code, stdout, stderr } = await finish(spawn(program, args, { env }), { deadlineMs });
  tell({ id, code, stdout, stderr });
}

function tell(message: PeerAnswer | 'ready'): void {
  process.send?.(message);
}

process.on('message', (question) => {
  void answer(question as PeerQuestion);
});
process.on('disconnect', () => process.exit(0));
tell('ready');
