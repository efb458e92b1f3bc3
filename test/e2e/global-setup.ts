/**
 * What all files of a run share, made before the first of them: one installation of the product.
 *
 * @module
 */
import { installForAll } from './installation.ts';

export default async function setUp(): Promise<() => void> {
  const installation = await installForAll();
  return () => installation.remove();
}
