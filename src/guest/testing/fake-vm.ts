/**
 * A VM with nothing but a fake agent in it, for tests of the client.
 *
 * @module
 */
import type { Vm, VmExit } from '../../engine/vm/vm.ts';
import type { FakeAgent } from './fake-agent.ts';
import { fakeStreams } from './fake-streams.ts';

export interface FakeVm extends Pick<Vm, 'connect' | 'console' | 'exited'> {
  /** Ends the VM. */
  end(exit: VmExit): void;
}

export function fakeVm(agent: Pick<FakeAgent, 'serve'>, console = ''): FakeVm {
  let end: (exit: VmExit) => void = () => undefined;
  const exited = new Promise<VmExit>((resolve) => {
    end = resolve;
  });
  return {
    exited,
    end,
    console: async () => Buffer.from(console),
    connect: async () => {
      const [host, guest] = fakeStreams();
      agent.serve(guest);
      return host;
    },
  };
}
