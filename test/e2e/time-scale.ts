/**
 * The factor by which all timeouts are longer than usual. Tests run on an emulated host as well,
 * whose fixture sets `A3S_TIME_SCALE`; nothing but tests reads it.
 *
 * @module
 */
const TIME_SCALE = Number(process.env['A3S_TIME_SCALE'] ?? '1');

/** A deadline for this host. */
export function scaled(milliseconds: number): number {
  return milliseconds * TIME_SCALE;
}

/** What a server needs in its environment on a host that is so much slower. */
export function slowHost(scale = TIME_SCALE): Readonly<Record<string, string>> {
  if (scale === 1) return {};
  return { A3S_KVM_TIMEOUT: String(10 * scale), A3S_START_TIMEOUT: String(120 * scale) };
}
