import { describe, expect, it } from 'vitest';
import { sysctlsOf } from './sysctls.ts';

it.each([
  ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'],
  ['net/ipv4/conf/eth0.1/forwarding', 'net/ipv4/conf/eth0.1/forwarding'],
  ['net.ipv4.conf.eth0/1.forwarding', 'net/ipv4/conf/eth0.1/forwarding'],
  ['kernel.msgmax', 'kernel/msgmax'],
  ['kernel.shm_rmid_forced', 'kernel/shm_rmid_forced'],
  ['fs.mqueue.msg_max', 'fs/mqueue/msg_max'],
  ['kernel.domainname', 'kernel/domainname'],
])('takes the setting %s', (name, path) => {
  expect(sysctlsOf({ [name]: '1 2' }, '')).toEqual([{ path, value: '1 2' }]);
});

describe('sysctlsOf', () => {
  it.each([
    [{ 'vm.swappiness': '1' }, 'sysctl "vm.swappiness" is not in a separate kernel namespace'],
    [{ 'kernel.core_pattern': '|/x' }, 'not in a separate kernel namespace'],
    [{ 'net/../kernel/core_pattern': '|/x' }, 'not in a separate kernel namespace'],
    [{ 'net..kernel.core_pattern': '|/x' }, 'not in a separate kernel namespace'],
    [{ 'net.': '1' }, 'not in a separate kernel namespace'],
    [{ net: '1' }, 'not in a separate kernel namespace'],
    [{ '': '1' }, 'not in a separate kernel namespace'],
    [{ 'kernel.hostname': 'x' }, 'conflicts with the OCI "hostname" field'],
    [{ 'kernel.domainname': 'x' }, 'conflicts with Domainname'],
    [{ 'net.core.somaxconn': '1', 'net/core/somaxconn': '2' }, 'is there twice'],
  ])('refuses the sysctls %j', (asked, message) => {
    expect(() => sysctlsOf(asked as Record<string, string>, 'example.com')).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining(message),
      }),
    );
  });
});
