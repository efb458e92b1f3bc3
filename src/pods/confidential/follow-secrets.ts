/**
 * Follows the secrets of a confidential pod, as long as its guest waits for them: what became of
 * them goes to the log, and connections to the broker are carried.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { REFUSED_TO_PODS } from '../../boxes/confidential/connect-broker.ts';
import { relayWhile } from '../../boxes/confidential/relay-broker.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import { podLaunchSpec } from './pod-launch-spec.ts';

/** The pause between two requests. A guest that always answers at once is asked no more often. */
const PAUSE_MS = 100;
const RETRY_MS = 1000;

type Host = Pick<PodHost, 'pods' | 'log'>;

/** In the background, until the secrets are there, or the pod has ended. */
export function followSecrets(rt: Host, running: RunningPod): void {
  const confidential = rt.pods.pod(running.id)?.definition.confidential;
  if (confidential === undefined) return;
  const { broker, secrets } = podLaunchSpec(confidential);
  let isWaiting = secrets.length > 0;
  if (isWaiting) {
    void watch(rt, running).finally(() => {
      isWaiting = false;
    });
  }
  if (broker === undefined) return;
  // Where tokens are given, the workload may ask for one at any time.
  const isNeeded = (): boolean => !running.signal.aborted && (broker.tokens === true || isWaiting);
  void relayWhile(rt, running, { broker, isNeeded, refused: REFUSED_TO_PODS });
}

/** Never rejects. The values never come here. */
async function watch(rt: Host, running: RunningPod): Promise<void> {
  let seen = 0;
  while (!running.signal.aborted) {
    let pause = PAUSE_MS;
    try {
      const report = await (await running.guest()).secrets(seen, running.signal);
      seen = report.version;
      if (report.state !== 'waiting') {
        rt.log.info('the secrets of a pod are settled', { pod: running.id, state: report.state });
        return;
      }
    } catch (error) {
      if (running.signal.aborted) return;
      pause = RETRY_MS;
      rt.log.error('a guest does not tell of its secrets', error, { pod: running.id });
    }
    await delay(pause, undefined, { signal: running.signal, ref: false }).catch(() => undefined);
  }
}
