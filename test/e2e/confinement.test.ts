import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { scaled } from './time-scale.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** One fact a line, so that three ways in can be compared as text. */
const FACTS = `
grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '
for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do
  if [ -e $f ]; then echo $f $(head -c 16 $f 2>/dev/null | wc -c); fi
done
for d in /proc/acpi /proc/scsi /sys/firmware; do if [ -e $d ]; then echo $d $(ls $d | wc -l); fi; done
for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity /proc/bus/x; do
  (echo 0 > $f) 2>/dev/null && echo writable $f
done
cat /proc/[0-9]*/comm | sort -u | grep -E 'agent|kthread|init' && echo agent-visible
awk '$4 !~ /nodev/ { print $2 }' /proc/mounts | grep -v -E '^/(dev/(null|zero|full|random|urandom|tty|pts)|proc/.*)$' | sed 's/^/dev allowed on /'
mount -t tmpfs none /mnt 2>&1 | head -n 1
unshare -U true 2>&1 | head -n 1
hostname changed 2>&1 | head -n 1
cd /tmp
n=0
for d in $(cat /proc/devices | awk '/^Block/ { b = 1 } $2 ~ /virtio|vd|virtio-portsdev/ { print (b ? "b" : "c") ":" $1 }'); do
  for minor in 0 1 2 16 32; do
    mknod node $(echo $d | cut -d: -f1) $(echo $d | cut -d: -f2) $minor 2>/dev/null || continue
    n=$((n + 1))
    (exec 3< node) 2>/dev/null && echo opened $d $minor
    (exec 3> node) 2>/dev/null && echo opened $d $minor
    rm -f node
  done
done
mknod node c 10 124 && { (exec 3< node) 2>/dev/null && echo opened sev-guest; rm -f node; }
[ $n -gt 0 ] && echo nodes made
echo end-of-facts
`;

/** Waits for a process that runs another program than busybox, and keeps that program open. */
const THIEF = `
printf '#!/proc/self/exe\\n' > /trap
chmod 755 /trap
until [ -e /proc/self/fd/3 ]; do
  for p in /proc/[0-9]*; do
    if [ -e $p/exe ] && ! [ $p/exe -ef /bin/busybox ]; then command exec 3< $p/exe; break; fi
  done 2> /dev/null
done
echo caught $(head -c 4 <&3 | tail -c 3)
(echo x > /proc/self/fd/3) 2>&1 && echo written
(echo x >> /proc/self/fd/3) 2>&1 && echo written
(echo x 1<> /proc/self/fd/3) 2>&1 && echo written
echo end
sleep 1000
`;

describe.each(ACTORS)('the confinement of a box of %s', (name) => {
  let actor: Actor;
  const facts: Record<string, string> = {};

  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    await actor.ok([
      ...['run', '-d', '--name', 'jail', '--network', 'none', BUSYBOX],
      ...['sh', '-c', `${FACTS}\nsleep 1000`],
    ]);
    const logs = actor.start(['logs', '--follow', 'jail']);
    facts['main'] = await untilEnd((onText) =>
      logs.stdout?.on('data', (chunk: Buffer) => onText(chunk.toString())),
    );
    logs.kill();
    facts['exec'] = (await actor.run(['exec', 'jail', 'sh', '-c', FACTS])).stdout;
    const [program, ...args] = actor.command(['exec', '-it', 'jail', 'sh', '-c', FACTS]);
    const terminal = spawn(program, args, { env: { ...actor.env }, cwd: actor.directory });
    facts['exec -t'] = await untilEnd((onText) => terminal.onData(onText));
  });
  afterAll(() => actor.leave());

  it("a box has Docker's capabilities, seccomp filter and no-new-privileges default", () => {
    expect(facts['main']).toContain(
      [
        'CapInh: 0000000000000000',
        'CapPrm: 00000000a80425fb',
        'CapEff: 00000000a80425fb',
        'CapBnd: 00000000a80425fb',
        'CapAmb: 0000000000000000',
        'NoNewPrivs: 0',
        'Seccomp: 2',
      ].join('\n'),
    );
  });

  it('a box masks the paths that Docker masks, and keeps the rest of /proc read-only', () => {
    expect(facts['main']).toContain('/proc/kcore 0\n');
    expect(facts['main']).toContain('/proc/keys 0\n');
    expect(facts['main']).toContain('/sys/firmware 0\n');
    expect(facts['main']).not.toContain('writable');
  });

  it('a box cannot see the agent, nor open a device by a new node', () => {
    expect(facts['main']).not.toContain('agent-visible');
    expect(facts['main']).toContain('nodes made');
    expect(facts['main']).not.toContain('opened');
    expect(facts['main']).not.toContain('dev allowed on');
  });

  it('a box cannot mount, create user namespaces or rename the host', () => {
    expect(
      facts['main']?.match(/not permitted|denied|are you root/gi)?.length,
    ).toBeGreaterThanOrEqual(3);
  });

  it('exec and exec -t are confined like the main process', () => {
    expect(facts['main']).toContain('end-of-facts');
    expect(facts['exec']).toBe(facts['main']);
    expect(facts['exec -t']).toBe(facts['main']);
  });

  it('a user other than root has no capabilities in a box', async () => {
    const status = await actor.ok([
      'exec',
      '-u',
      'nobody',
      'jail',
      'grep',
      '-E',
      'Cap(Eff|Prm)',
      '/proc/self/status',
    ]);
    expect(status.match(/0000000000000000/g)?.length).toBe(2);
  });

  it('a box cannot write to the agent, although it can execute it as its own program', async () => {
    await actor.ok([
      'run',
      '-d',
      '--name',
      'thief',
      '--network',
      'none',
      BUSYBOX,
      'sh',
      '-c',
      THIEF,
    ]);
    const logs = actor.start(['logs', '--follow', 'thief']);
    let known = '';
    logs.stdout?.on('data', (chunk: Buffer) => {
      known += chunk.toString();
    });
    const deadline = Date.now() + scaled(60_000);
    // Each lives for some milliseconds, within which it has to be seen.
    while (!known.includes('end') && Date.now() < deadline) {
      await actor.run(['exec', 'thief', '/trap']);
    }
    logs.kill();
    expect(known).toContain('caught ELF\n');
    expect(known.match(/Read-only file system|Text file busy/g)).toHaveLength(3);
    expect(known).not.toContain('written');
    expect(await actor.ok(['exec', 'thief', 'echo', 'unharmed'])).toBe('unharmed');
  });

  it('a box cannot open a vsock socket', async () => {
    const probe = await actor.run(['exec', 'jail', '/bin/socket-probe', '40']);
    expect(probe.stdout).toBe('EPERM\n');
    const control = await actor.run(['exec', 'jail', '/bin/socket-probe', '1']);
    expect(control.stdout).toBe('ok\n');
  });
});

/** The text up to the end of the facts, without what a terminal adds. */
function untilEnd(listen: (onText: (text: string) => void) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const late = (): void => reject(new Error(`no end of the facts:\n${seen}`));
    const deadline = setTimeout(late, scaled(60_000));
    listen((text) => {
      seen += text.replaceAll('\r', '');
      if (!seen.includes('end-of-facts\n')) return;
      clearTimeout(deadline);
      resolve(seen);
    });
  });
}
