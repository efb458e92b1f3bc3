import type { SnapshotsPruned } from '../../../docker-api/a3s/snapshot.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import { bool } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { pruneCommand } from '../prune-command.ts';

export const pruneSnapshots = pruneCommand({
  flags: [
    bool('all', 'Remove all snapshots that no box is from, not just those whose memory is gone', {
      short: 'a',
    }),
  ],
  warning: (flags) =>
    flags.bool('all')
      ? 'all snapshots that no box is from'
      : 'all snapshots whose memory is gone with a restart of the host',
  async remove(client, _, flags) {
    const query = { all: String(flags.bool('all')) };
    const answer = objectOf<SnapshotsPruned>(
      await client.json({ method: 'POST', path: '/a3s/v1/snapshots/prune', query }),
    );
    const removed = stringsOf(answer.removed);
    const text = removed.length > 0 ? `Deleted Snapshots:\n${removed.join('\n')}\n\n` : '';
    return `${text}${reclaimed(numberOf(answer.freedBytes))}`;
  },
});
