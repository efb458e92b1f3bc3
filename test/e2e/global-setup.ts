/**
 * Set-up that all files of a run share, made before the first of them: one installation of the
 * product.
 *
 * @module
 */
import { prepareRun } from './known-accelerator.ts';

export default async function setUp(): Promise<() => void> {
  const installation = await prepareRun();
  return () => installation.remove();
}
