/**
 * Docker's framed output taken apart, for tests.
 *
 * @module
 */
export type Frame = readonly [stream: number, text: string];

/** @throws Error for bytes that are no whole frames */
export function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.readUIntBE(at + 1, 3) !== 0) throw new Error(`no frame begins at ${at}`);
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) throw new Error(`the frame at ${at} is cut off`);
    frames.push([bytes.readUInt8(at), bytes.toString('latin1', at + 8, end)]);
    at = end;
  }
  return frames;
}
