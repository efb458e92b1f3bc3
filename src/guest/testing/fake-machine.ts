/**
 * A machine with nothing but a fake agent in it, for tests of the client.
 *
 * @module
 */
import type { Machine, MachineExit } from '../../engine/engine.ts';
import type { FakeAgent } from './fake-agent.ts';
import { fakeLink } from './fake-link.ts';

export interface FakeMachine extends Pick<Machine, 'connect' | 'console' | 'exited'> {
  /** Ends the machine. */
  end(exit: MachineExit): void;
}

export function fakeMachine(agent: Pick<FakeAgent, 'serve'>, console = ''): FakeMachine {
  let end: (exit: MachineExit) => void = () => undefined;
  const exited = new Promise<MachineExit>((resolve) => {
    end = resolve;
  });
  return {
    exited,
    end,
    console: async () => Buffer.from(console),
    connect: async () => {
      const [host, guest] = fakeLink();
      agent.serve(guest);
      return host;
    },
  };
}
