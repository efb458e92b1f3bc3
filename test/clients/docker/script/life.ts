/**
 * The script's middle and end: boxes are created, changed, ended and removed.
 *
 * @module
 */
import type { Command, Difference } from '../transcript.ts';
import { keys, sorted } from './show.ts';

const STAYS_ATTACHED: Difference = {
  document: 'docs/boundaries/boxes.md',
  words: '`attach` shows the output after its input has ended',
};

const STATE = "inspect --format '{{.State.Status}} {{.State.ExitCode}}'";

export const LIFE: readonly Command[] = [
  { line: 'pause day' },
  { line: "inspect --format '{{.State.Status}} {{.State.Paused}}' day" },
  { line: "ps --filter status=paused --format '{{.Names}} {{.Status}}'" },
  { line: "info --format '{{.ContainersPaused}}'" },
  { line: 'pause day', code: 1, says: 'is already paused' },
  { line: 'exec day true', code: 1, says: 'is paused' },
  { line: 'unpause day' },
  { line: 'unpause day', code: 1, says: 'is not paused' },
  { line: 'exec day echo again' },
  { line: 'rename day today' },
  { line: "inspect --format '{{.Name}}' today" },
  { line: 'rename today still', code: 1, says: 'is already in use' },
  { line: 'rename nobody x', code: 1, says: 'No such container: nobody' },
  { line: 'rename today day' },
  { line: 'update --restart on-failure:2 day' },
  { line: "inspect --format '{{json .HostConfig.RestartPolicy}}' day" },
  { line: 'update --restart no day' },
  { line: 'update --pids-limit 60 day' },
  { line: "inspect --format '{{.HostConfig.PidsLimit}}' day" },
  { line: 'update --memory 96m --memory-swap 96m day' },
  { line: "inspect --format '{{.HostConfig.Memory}}' day" },
  { line: 'update --restart sometimes day', code: 1 },
  { line: 'update day', code: 1 },
  { line: 'update --cpus 0.5 day still', show: sorted },
  { line: "inspect --format '{{.HostConfig.NanoCpus}}' day still" },
  { line: 'rename day day', code: 1 },
  { line: "rename day 'no name'", code: 1, says: 'Invalid container name' },
  { line: 'rm day', code: 1, says: 'container is running' },
  { line: 'start day' },
  { line: 'kill --signal CONT day' },
  { line: 'kill --signal NOSUCH day', code: 1, says: 'nvalid signal: NOSUCH' },
  { line: 'kill still', code: 1, says: 'is not running' },
  { line: 'restart --time 60 day' },
  { line: STATE.concat(' day') },
  { line: 'logs day', until: 'bye\nready\nwrong\nwrong' },
  { line: 'stop --time 60 day' },
  { line: STATE.concat(' day') },
  { line: 'wait day' },
  { line: 'stop day' },
  { line: 'logs --follow --tail 1 day' },
  { line: "ps --all --filter exited=3 --format '{{.Names}}'" },
  { line: "ps --all --filter status=exited --format '{{.Names}} {{.Status}}'" },
  { line: 'exec day true', code: 1, says: 'is not running' },
  { line: 'pause day', code: 1, says: 'is not running' },
  { line: 'top day', code: 1, says: 'is not running' },
  { line: 'attach day', code: 1, says: 'cannot attach to a stopped container' },
  { line: 'start --attach still' },
  { line: STATE.concat(' still') },
  { line: "create --name typed --interactive --network none $IMAGE sh -c 'cat; exit 5'" },
  { line: 'start --attach --interactive typed', input: 'typed in\n', code: 5 },
  { line: 'logs typed' },
  {
    line: "run --detach --interactive --name later --network none $IMAGE sh -c 'read line; sleep 2; echo got $line; exit 6'",
  },
  { line: 'attach later', input: 'go\n', code: 6, differs: STAYS_ATTACHED },
  { line: 'wait later typed' },
  { line: "create --name slow --network none $IMAGE sh -c 'echo one; sleep 1; echo two; exit 6'" },
  { line: 'start slow' },
  { line: 'logs --follow slow' },
  { line: 'wait slow' },
  { line: 'start day nobody', code: 1, says: 'No such container: nobody' },
  { line: 'attach --no-stdin --sig-proxy=false --detach-keys bad day', code: 1 },
  { line: 'kill day' },
  { line: 'wait day' },
  { line: STATE.concat(' day') },
  {
    line: "create --name deaf --network none $IMAGE sh -c 'trap : TERM; while :; do sleep 1; done'",
  },
  { line: 'start deaf' },
  { line: 'stop --time 0 deaf' },
  { line: STATE.concat(' deaf') },
  { line: "inspect --format '{{.State.OOMKilled}} {{.State.Pid}} {{json .State.Error}}' deaf" },
  { line: 'rm deaf' },
  { line: 'stop still day', show: sorted },
  { line: 'kill day still', code: 1, says: 'is not running' },
  { line: 'restart day nobody', code: 1, says: 'No such container: nobody' },
  { line: 'stop --signal KILL day' },
  { line: STATE.concat(' day') },
  { line: 'rm --force nobody' },
  { line: 'rm nobody', code: 1, says: 'No such container: nobody' },
  { line: 'start nobody', code: 1, says: 'No such container: nobody' },
  { line: 'stop nobody', code: 1, says: 'No such container: nobody' },
  { line: 'kill nobody', code: 1, says: 'No such container: nobody' },
  { line: 'restart nobody', code: 1, says: 'No such container: nobody' },
  { line: 'wait nobody', code: 1, says: 'No such container: nobody' },
  { line: 'pause nobody', code: 1, says: 'No such container: nobody' },
  { line: 'update --memory 64m nobody', code: 1, says: 'No such container: nobody' },
  { line: 'port nobody', code: 1, says: 'No such container: nobody' },
  { line: 'top nobody', code: 1, says: 'No such container: nobody' },
  { line: 'attach nobody', code: 1, says: 'No such container: nobody' },
];

export const NETWORK: readonly Command[] = [
  {
    line: 'run --detach --name web --stop-signal KILL --publish 127.0.0.1:0:80 --expose 81 $IMAGE sleep 1000',
  },
  { line: 'port web' },
  { line: 'port web 80' },
  { line: 'port web 80/tcp' },
  { line: 'port web 81', code: 1 },
  { line: 'inspect --format \'{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostIp}}\' web' },
  { line: "exec web sh -c 'test -s /etc/resolv.conf && echo resolver'" },
  {
    line: "ps --filter publish=80 --format '{{.Names}} {{.Ports}}'",
    show: (text) => text.replace(/:\d+->/, ':<port>->'),
  },
  { line: "ps --filter expose=81 --format '{{.Names}}'" },
  { line: "ps --filter network=bridge --format '{{.Names}}'" },
  {
    line: "inspect --format '{{json .NetworkSettings.Ports}}' web",
    show: (text) => text.replace(/"\d+"/, '<port>'),
  },
  {
    line: 'inspect --format \'{{.HostConfig.NetworkMode}} {{len .NetworkSettings.Networks}} {{ne .NetworkSettings.IPAddress ""}}\' web',
  },
  { line: "inspect --format '{{json .NetworkSettings.Networks.bridge}}' web", show: keys },
  { line: "exec web sh -c 'ip -o -4 addr show eth0 | wc -l; grep -c $HOSTNAME /etc/hosts'" },
  { line: 'port web 80/udp', code: 1 },
  { line: 'create --name taken --publish 127.0.0.1:0:80 --publish 127.0.0.1:0:82 $IMAGE true' },
  { line: 'port taken' },
  { line: 'rm taken' },
  { line: 'rm --force web' },
];

const EVENTS_NOW = 'events --since 1h --until 0s';

export const EVENTS: readonly Command[] = [
  {
    line: `${EVENTS_NOW} --filter container=slow --filter event=create --filter event=start --filter event=die --format '{{.Type}} {{.Action}} {{index .Actor.Attributes "name"}}'`,
  },
  {
    line: `${EVENTS_NOW} --filter container=day --filter event=rename --filter event=pause --filter event=unpause --format '{{.Action}}'`,
  },
  { line: `${EVENTS_NOW} --filter label=team=b --filter event=create --format '{{.Action}}'` },
  {
    line: `${EVENTS_NOW} --filter container=day --filter event=die --format '{{index .Actor.Attributes "exitCode"}}'`,
  },
  {
    line: `${EVENTS_NOW} --filter container=day --filter event=kill --format '{{index .Actor.Attributes "signal"}}'`,
  },
  {
    line: `${EVENTS_NOW} --filter container=deaf --filter event=kill --filter event=stop --filter event=die --filter event=destroy --format '{{.Action}}'`,
    // Docker says that it stopped before or after its end.
    show: sorted,
  },
  { line: `${EVENTS_NOW} --filter container=typed --format '{{.Action}}'` },
  { line: `${EVENTS_NOW} --filter type=image --format '{{.Type}} {{.Action}}'`, show: sorted },
  {
    line: `${EVENTS_NOW} --filter container=slow --filter event=start --format '{{.Type}} {{.Action}} {{.From}} {{.Scope}}'`,
  },
  { line: 'events --since 2001-01-01T00:00:00Z --until 2002-01-01T00:00:00Z' },
];

export const ERRORS: readonly Command[] = [
  { line: 'run --no-such-flag $IMAGE true', code: 125 },
  { line: 'create', code: 1 },
  { line: 'create --name still $IMAGE true', code: 1, says: 'is already in use by container' },
  {
    line: "create --name 'no name' $IMAGE true",
    code: 1,
    says: 'Invalid container name (no name)',
  },
  { line: 'run --pull never localhost/a3s/nobody true', code: 125 },
  { line: 'create --publish 127.0.0.1:99999:80 $IMAGE true', code: 125 },
  { line: 'create --memory many $IMAGE true', code: 125 },
  { line: 'create --restart sometimes $IMAGE true', code: 1 },
  { line: 'create --stop-signal NOSUCH $IMAGE true', code: 1 },
  { line: 'create --volume relative/path:/x $IMAGE true', code: 1 },
  { line: 'create --rm --restart always $IMAGE true', code: 125 },
  { line: 'create --memory 1k $IMAGE true', code: 1, says: 'Minimum memory limit allowed is 6MB' },
  { line: 'create --cpus 1000 $IMAGE true', code: 1, says: 'Range of CPUs is from 0.01 to' },
  { line: 'create --memory 64m --memory-swap 32m $IMAGE true', code: 1 },
  { line: 'create --memory-swap 64m $IMAGE true', code: 1 },
  { line: 'create --volume /tmp:relative $IMAGE true', code: 1 },
  {
    line: 'create --volume /tmp:/x --volume /var:/x $IMAGE true',
    code: 1,
    says: 'Duplicate mount point: /x',
  },
  { line: 'create --volume /tmp:/x:rx $IMAGE true', code: 1 },
  { line: 'create --workdir relative $IMAGE true', code: 1 },
  { line: 'create --env =value $IMAGE true', code: 125 },
  { line: 'create --label-file /no/such/file $IMAGE true', code: 125 },
  { line: 'create --restart on-failure:-1 $IMAGE true', code: 1 },
  { line: 'create --restart always:3 $IMAGE true', code: 1 },
  { line: 'create --log-driver json-file --log-opt color=blue $IMAGE true', code: 1 },
  { line: 'create --health-cmd true --health-interval 1us $IMAGE true', code: 1 },
  { line: 'create --health-cmd true --no-healthcheck $IMAGE true', code: 125 },
  { line: 'create --platform linux/s390x $IMAGE true', code: 1 },
  { line: 'create --ulimit nofile=9:1 $IMAGE true', code: 125 },
  { line: 'create --ulimit nothing=1 $IMAGE true', code: 125 },
  { line: 'create --expose no-port $IMAGE true', code: 125 },
  { line: 'create --attach nothing $IMAGE true', code: 125 },
  { line: 'create --name=-x $IMAGE true', code: 1, says: 'Invalid container name' },
  { line: 'run --detach --rm --restart always $IMAGE true', code: 125 },
  { line: 'run', code: 1 },
  { line: 'run --pull never --rm Upper/Case true', code: 125 },
  { line: 'no-such-command', code: 1 },
  { line: "ps --format '{{.NoSuchField}}'", code: 1 },
  { line: "inspect --format '{{.NoSuchField}}' still", code: 1 },
];

const NOT_SHARED: Difference = {
  document: 'docs/boundaries/refused.md',
  words: 'each box has a kernel of its own, and there is none to share',
};

const OWN_DEVICES: Difference = {
  document: 'docs/boundaries/refused.md',
  words: "devices are those of the box's own kernel",
};

const NOT_ONES_OWN: Difference = {
  document: 'docs/boundaries/refused.md',
  words: "contradict a microVM of one's own",
};

const MISSING_NETWORK: Difference = {
  document: 'docs/boundaries/boxes.md',
  words: '`create` refuses a network that does not exist',
};

export const REFUSED: readonly Command[] = [
  { line: 'create --pid host $IMAGE true', says: 'PidMode', code: 1, differs: NOT_SHARED },
  { line: 'create --device /dev/null $IMAGE true', says: 'Devices', code: 1, differs: OWN_DEVICES },
  {
    line: 'create --cgroup-parent /x $IMAGE true',
    says: 'CgroupParent',
    code: 1,
    differs: NOT_SHARED,
  },
  { line: 'create --ipc host $IMAGE true', says: 'IpcMode', code: 1, differs: NOT_SHARED },
  { line: 'create --uts host $IMAGE true', says: 'UTSMode', code: 1, differs: NOT_SHARED },
  {
    line: 'create --network container:gone $IMAGE true',
    says: 'NetworkMode',
    code: 1,
    differs: NOT_ONES_OWN,
  },
  { line: 'create --network elsewhere $IMAGE true', code: 1, differs: MISSING_NETWORK },
];

export const END: readonly Command[] = [
  { line: 'container prune --force --filter label=team=b' },
  { line: "ps --all --format '{{.Names}}'", show: sorted },
  { line: 'rm day typed' },
  { line: 'rm --force later slow nobody' },
  { line: 'container prune --force' },
  { line: 'ps --all --quiet' },
  { line: "system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'" },
];
