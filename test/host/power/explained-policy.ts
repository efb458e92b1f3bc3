/**
 * The image policy by which a server decides.
 *
 * @module
 */
import * as z from 'zod';
import { BUSYBOX } from '../../e2e/installation.ts';
import type { WorkPlace } from './host-state.ts';

/** In `A3S_HOME`. */
export const IMAGE_POLICY = 'image-policy.yaml';

const Explained = z.object({
  decisions: z.tuple([z.object({ policy: z.object({ digest: z.string() }) })]),
});

/** Its digest. */
export async function explainedPolicy(run: WorkPlace['run']): Promise<string> {
  const { stdout, stderr } = await run(['trust', 'explain', '--json', BUSYBOX]);
  const parsed = Explained.safeParse(JSON.parse(stdout === '' ? '{}' : stdout));
  if (!parsed.success) throw new Error(`trust explain: ${stdout}${stderr}`);
  return parsed.data.decisions[0].policy.digest;
}
