/**
 * Boxes of a simulated processor that answer over RA-TLS, for tests in this repository alone: no package has it.
 *
 * @module
 */
export { type AgentServer, type AgentServerOptions, agentServer } from './agent-server.ts';
export {
  type GuestOptions,
  guestSource,
  NOW,
  PROCESSOR,
  policyFor,
  specText,
  trusting,
} from './simulated-source.ts';
