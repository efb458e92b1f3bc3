/**
 * Boxes of a simulated processor that answer over RA-TLS, and what attackers of real ones need, for
 * tests in this repository alone: no package has it.
 *
 * @module
 */
export {
  INJECT_EXPORTER,
  type Injection,
  MAX_SECRET_SIZE,
  signInjection,
} from '../binding/injection.ts';
export { EXPORTER_SIZE } from '../binding/report-data.ts';
export { type Answer, exchange, speakHttp2 } from '../client/exchange.ts';
export {
  type AgentServer,
  type AgentServerOptions,
  agentServer,
  type TestSealer,
} from './agent-server.ts';
export { agentSocket } from './fake-agent-socket.ts';
export {
  type GuestOptions,
  guestSource,
  NOW,
  PROCESSOR,
  policyFor,
  specText,
  trusting,
} from './simulated-source.ts';
export { withoutKey } from './without-key.ts';
