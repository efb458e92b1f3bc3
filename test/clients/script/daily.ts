/**
 * The script's long-running box: what is asked of one all day.
 *
 * @module
 */
import type { Command, Difference } from '../transcript.ts';
import { columns, sorted } from './show.ts';

/** Says what it is told through a pipe in its file system, and ends when it is told to. */
const SPEAKER =
  'mkfifo /say; trap "echo bye; exit 3" TERM; echo ready; echo wrong >&2; while :; do { read line < /say && echo "$line"; } 2> /dev/null; done';

/** podman's answer to the attachment is an error of the protocol, and the client's exit code is 1. */
const NO_PROGRAM: Difference = {
  document: 'https://docs.docker.com/engine/containers/run/#exit-status',
  words: 'exit code 126: the command cannot be invoked; 127: it cannot be found',
};

export const RUN: readonly Command[] = [
  { line: "run --rm --network none $IMAGE sh -c 'echo out; echo err >&2; exit 7'", code: 7 },
  { line: 'run --rm --network none --interactive $IMAGE cat', input: 'in\nand out\n' },
  { line: 'run --rm --network none $IMAGE no-such-program', code: 127, differs: NO_PROGRAM },
  { line: 'run --rm --network none $IMAGE /etc/passwd', code: 126, differs: NO_PROGRAM },
  {
    line: "run --rm --network none --hostname other --user user --workdir /tmp --env A=b $IMAGE sh -c 'hostname; id -un; pwd; echo $A'",
  },
  { line: 'run --rm --network none --entrypoint echo $IMAGE one two' },
  { line: "run --rm --network none --tty $IMAGE sh -c 'test -t 1 && echo terminal'" },
  { line: 'ps --all --quiet' },
  {
    line: `run --detach --name day --hostname day --label team=a --label tier=front --env COLOR=blue --workdir /tmp --network none $IMAGE sh -c '${SPEAKER}'`,
  },
  { line: 'logs day', until: 'ready' },
];

export const EXEC: readonly Command[] = [
  { line: "exec day sh -c 'echo out; echo err >&2; exit 4'", code: 4 },
  { line: 'exec --interactive day cat', input: 'given\n' },
  { line: 'exec --user user day id -un' },
  { line: "exec --user 1000:100 day sh -c 'id -u; id -g'" },
  { line: 'exec --workdir /var day pwd' },
  { line: 'exec day pwd' },
  { line: "exec --env SHAPE=round day sh -c 'echo $SHAPE $COLOR'" },
  { line: 'exec day hostname' },
  { line: 'exec --detach day touch /tmp/was-here' },
  { line: 'exec day ls /tmp', until: 'was-here' },
  { line: 'exec day sh -c no-such-program', code: 127 },
  { line: 'exec day sh -c /etc/passwd', code: 126 },
  { line: "exec day sh -c 'kill -9 $$'", code: 137 },
  { line: 'exec day true' },
  { line: 'exec day false', code: 1 },
  { line: "exec --tty day sh -c 'test -t 1 && echo terminal'" },
  { line: 'exec nobody true', code: 1, says: 'No such container: nobody' },
];

export const LOGS: readonly Command[] = [
  { line: 'logs day' },
  { line: 'logs --tail 1 day' },
  { line: 'logs --tail 0 day' },
  { line: 'logs --tail all day' },
  { line: 'logs --timestamps day' },
  { line: 'logs --since 1h day' },
  { line: 'logs --until 1h day' },
  { line: 'logs --since 2001-01-01T00:00:00Z --until 2002-01-01T00:00:00Z day' },
  { line: "exec day sh -c 'echo second > /say'" },
  { line: 'logs day', until: 'second' },
  { line: 'logs --tail 1 day' },
  { line: 'logs --tail 2 --timestamps day' },
  { line: 'logs nobody', code: 1, says: 'No such container: nobody' },
];

export const INSPECT: readonly Command[] = [
  { line: "inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' day" },
  { line: "inspect --format '{{.State.Restarting}} {{.State.OOMKilled}} {{.State.Dead}}' day" },
  { line: "inspect --format '{{.State.ExitCode}} {{json .State.Error}}' day" },
  { line: "inspect --format '{{.Name}} {{.Config.Image}} {{.RestartCount}}' day" },
  { line: "inspect --format '{{.Id}}' day" },
  { line: "inspect --format '{{.Image}}' day" },
  { line: "inspect --format '{{.Path}} {{len .Args}} {{index .Args 0}}' day" },
  { line: "inspect --format '{{.Config.Hostname}} {{.Config.WorkingDir}}' day" },
  { line: "inspect --format '{{json .Config.Labels}}' day" },
  { line: "inspect --format '{{.Config.Tty}} {{.Config.OpenStdin}} {{.Config.AttachStdout}}' day" },
  { line: "inspect --format '{{.HostConfig.NetworkMode}} {{.HostConfig.AutoRemove}}' day" },
  { line: "inspect --format '{{len .NetworkSettings.Ports}} {{len .Mounts}}' day" },
  { line: "inspect --format '{{.NetworkSettings.IPAddress}}' day" },
  { line: "inspect --format '{{gt .State.Pid 0}}' day" },
  { line: "inspect --type container --format '{{.Name}}' day" },
  { line: 'inspect nobody', code: 1, says: 'No such object: nobody' },
  { line: "inspect --format '{{.State.Status}}' day nobody", code: 1 },
];

export const LIST: readonly Command[] = [
  { line: "ps --format '{{.Names}} {{.State}} {{.Image}}'" },
  { line: 'ps --format \'{{.Label "team"}} {{.Label "tier"}}\'' },
  { line: 'ps --quiet --no-trunc' },
  { line: 'ps', show: (text) => text.replace(/"sh -c[^"]*"/, '<command>') },
  { line: 'create --name still --network none --label team=b $IMAGE true' },
  { line: "ps --all --format '{{.Names}} {{.State}}'", show: sorted },
  { line: "ps --format '{{.Names}}'" },
  { line: "ps --last 1 --format '{{.Names}}'" },
  { line: "ps --latest --format '{{.Names}}'" },
  { line: "ps --all --filter status=created --format '{{.Names}}'" },
  { line: "ps --all --filter status=running --format '{{.Names}}'" },
  { line: "ps --all --filter label=team --format '{{.Names}}'", show: sorted },
  { line: "ps --all --filter label=team=b --format '{{.Names}}'" },
  { line: "ps --all --filter name=ay --format '{{.Names}}'" },
  { line: "ps --all --filter name=^still$ --format '{{.Names}}'" },
  { line: "ps --all --filter ancestor=$IMAGE --format '{{.Names}}'", show: sorted },
  { line: "ps --all --filter before=still --format '{{.Names}}'" },
  { line: "ps --all --filter since=day --format '{{.Names}}'" },
  { line: 'ps --filter color=blue', code: 1 },
  { line: 'ps --filter status=odd', code: 1 },
  { line: 'top day', show: columns },
  { line: 'top day -ef', show: columns },
  { line: 'top still', code: 1 },
  { line: "stats --no-stream --format '{{.Container}} {{.PIDs}}' day" },
  { line: 'stats --no-stream nobody', code: 1, says: 'No such container: nobody' },
  { line: 'port day' },
  { line: 'port day 80', code: 1 },
];
