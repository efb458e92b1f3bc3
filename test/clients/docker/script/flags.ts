/**
 * The script's flags of `create`, each read back: nothing starts.
 *
 * @module
 */
import type { Command, Difference } from '../transcript.ts';
import { sorted } from './show.ts';

const ENVIRONMENT = '{{range .Config.Env}}{{println .}}{{end}}';

const NO_SWAP: Difference = {
  document: 'docs/boundaries/boxes.md',
  words: '`MemorySwap` is 0 where nobody asked',
};

/** A flag, and the fields of the inspection that tell it. */
const FLAGS: readonly (readonly [flag: string, format: string, differs?: Difference])[] = [
  ['--hostname example', '{{.Config.Hostname}}'],
  ['--env COLOR=blue --env EMPTY=', ENVIRONMENT],
  ['--env-file $ENVFILE', ENVIRONMENT],
  ['--workdir /var/tmp', '{{.Config.WorkingDir}}'],
  ['--user user:users', '{{.Config.User}}'],
  ['--label a=1 --label b=', '{{json .Config.Labels}}'],
  ['--label-file $LABELFILE', '{{json .Config.Labels}}'],
  ['--entrypoint /bin/echo', '{{json .Config.Entrypoint}} {{.Path}}'],
  ['--interactive', '{{.Config.OpenStdin}}'],
  ['--tty', '{{.Config.Tty}}'],
  ['--expose 81', '{{json .Config.ExposedPorts}}'],
  ['--publish 127.0.0.1:18080:80', '{{json .HostConfig.PortBindings}}'],
  ['--publish 127.0.0.1:18081:81/tcp', '{{json .Config.ExposedPorts}}'],
  ['--network none', '{{.HostConfig.NetworkMode}}'],
  ['--memory 64m', '{{.HostConfig.Memory}}'],
  ['--memory 64m --memory-reservation 32m', '{{.HostConfig.MemoryReservation}}'],
  ['--memory 64m --memory-swap 64m', '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}'],
  ['--cpus 1.5', '{{.HostConfig.NanoCpus}}'],
  ['--cpu-shares 512', '{{.HostConfig.CpuShares}}'],
  ['--cpu-period 50000 --cpu-quota 25000', '{{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}}'],
  ['--cpuset-cpus 0', '{{.HostConfig.CpusetCpus}}'],
  ['--pids-limit 50', '{{.HostConfig.PidsLimit}}'],
  ['--ulimit nofile=512:1024', '{{range .HostConfig.Ulimits}}{{.Soft}} {{.Hard}}{{end}}'],
  ['--restart no', '{{.HostConfig.RestartPolicy.MaximumRetryCount}}'],
  ['--restart on-failure:3', '{{json .HostConfig.RestartPolicy}}'],
  ['--restart always', '{{json .HostConfig.RestartPolicy}}'],
  ['--restart unless-stopped', '{{json .HostConfig.RestartPolicy}}'],
  ['--stop-signal 2', '{{.Config.StopSignal}}'],
  ['--stop-timeout 7', '{{.Config.StopTimeout}}'],
  ['--rm', '{{.HostConfig.AutoRemove}}'],
  ['--health-cmd true --health-retries 4', '{{json .Config.Healthcheck.Test}}'],
  ['--health-cmd true --health-retries 4', '{{.Config.Healthcheck.Retries}}'],
  ['--health-cmd true --health-interval 7s', '{{.Config.Healthcheck.Interval}}'],
  ['--health-cmd true --health-timeout 3s', '{{.Config.Healthcheck.Timeout}}'],
  ['--health-cmd true --health-start-period 9s', '{{.Config.Healthcheck.StartPeriod}}'],
  ['--log-driver none', '{{.HostConfig.LogConfig.Type}}'],
  ['--log-driver json-file --log-opt max-size=1m', '{{.HostConfig.LogConfig.Type}}'],
  [
    '--volume /tmp:/mnt:ro',
    '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}',
  ],
  ['--volume /tmp:/mnt', '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}'],
  ['--volume /tmp:/mnt:ro,z', '{{json .HostConfig.Binds}}'],
  ['--volume $SHARED:/mnt', '{{json (index .Mounts 0)}}'],
  ['--init', '{{.HostConfig.Init}}'],
  ['--cpus 0.5', '{{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}}'],
  ['--memory 1g', '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}', NO_SWAP],
  ['--ulimit core=0', '{{json .HostConfig.Ulimits}}'],
  ['--no-healthcheck', '{{json .Config.Healthcheck}}'],
  ['--hostname example', '{{.Config.Hostname}} {{json .Config.Domainname}}'],
  ['--attach stdout', '{{.Config.AttachStdin}} {{.Config.AttachStdout}} {{.Config.AttachStderr}}'],
  ['--network bridge', '{{.HostConfig.NetworkMode}}'],
  ['--label com.example=dotted', '{{index .Config.Labels "com.example"}}'],
  ['--platform linux/amd64', '{{.Platform}}'],
  ['--log-driver local --log-opt max-file=2', '{{json .HostConfig.LogConfig}}'],
  ['--publish 127.0.0.1:18082:82 --publish 127.0.0.1::83', '{{json .HostConfig.PortBindings}}'],
  ['--volume /tmp:/mnt --workdir /mnt', '{{.Config.WorkingDir}}'],
  ['--entrypoint ""', '{{json .Config.Entrypoint}} {{json .Config.Cmd}}'],
  ['--privileged=false', '{{.HostConfig.Privileged}}'],
  ['--privileged', '{{.HostConfig.Privileged}} {{json .HostConfig.SecurityOpt}}'],
  ['--cap-add net_admin --cap-drop CHOWN', '{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}'],
  ['--security-opt no-new-privileges', '{{json .HostConfig.SecurityOpt}}'],
  ['--group-add 5 --group-add users', '{{json .HostConfig.GroupAdd}}'],
  [
    '--oom-score-adj 7 --domainname example.com',
    '{{.HostConfig.OomScoreAdj}} {{.Config.Domainname}}',
  ],
  ['--sysctl net.core.somaxconn=99', '{{json .HostConfig.Sysctls}}'],
  ['--annotation a=b', '{{json .HostConfig.Annotations}}'],
  ['--read-only --shm-size 128m', '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.ShmSize}}'],
  ['--tmpfs /run:size=1m', '{{json .HostConfig.Tmpfs}} {{json .Mounts}}'],
  ['--mount type=tmpfs,dst=/t,tmpfs-size=1m', '{{json .HostConfig.Mounts}} {{json .Mounts}}'],
  ['--pull never', '{{.Config.Image}}'],
];

export const FLAG_CHAPTER: readonly Command[] = FLAGS.flatMap(([flag, format, differs]) => [
  { line: `create --name flag ${flag} $IMAGE echo one two` },
  {
    line: `inspect --format '${format}' flag`,
    show: sorted,
    ...(differs === undefined ? {} : { differs }),
  },
  { line: 'rm flag' },
]);
