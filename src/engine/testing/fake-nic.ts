/**
 * A network card without a guest, for tests: speaks Ethernet frames to passt as QEMU does, each led
 * by its length.
 *
 * @module
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { GUEST_NETWORK } from '../network.ts';

const MAC = Buffer.from('020000000001', 'hex');
const BROADCAST = Buffer.alloc(6, 0xff);
const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806 } as const;
const PROTOCOL = { tcp: 6, udp: 17 } as const;
const SYN = 0x02;

export class FakeGuestNic {
  readonly #socket: Socket;
  #gateway: Buffer = BROADCAST;
  #buffer: Buffer = Buffer.alloc(0);
  #onFrame: (frame: Buffer) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => socket.destroy());
  }

  static async attach(path: string): Promise<FakeGuestNic> {
    const socket = connect(path);
    await once(socket, 'connect');
    const nic = new FakeGuestNic(socket);
    await nic.resolveGateway();
    return nic;
  }

  detach(): void {
    this.#socket.destroy();
  }

  /** Asks for the gateway's hardware address, and waits for the answer. */
  async resolveGateway(): Promise<void> {
    const answered = this.#next((frame) =>
      frame.readUInt16BE(12) === ETHERTYPE.arp && frame.readUInt16BE(20) === 2
        ? frame.subarray(22, 28)
        : undefined,
    );
    const query = Buffer.concat([
      Buffer.from('0001080006040001', 'hex'),
      MAC,
      ip(GUEST_NETWORK.address),
      Buffer.alloc(6),
      ip(GUEST_NETWORK.gateway),
    ]);
    this.#send(BROADCAST, ETHERTYPE.arp, query);
    this.#gateway = Buffer.from(await answered);
  }

  /** Begins a TCP connection. */
  sendSyn(target: string, port: number, from: number): void {
    const segment = Buffer.alloc(20);
    segment.writeUInt16BE(from, 0);
    segment.writeUInt16BE(port, 2);
    segment.writeUInt32BE(1, 4);
    segment.writeUInt8(5 << 4, 12);
    segment.writeUInt8(SYN, 13);
    segment.writeUInt16BE(65_535, 14);
    this.#sendIp(PROTOCOL.tcp, target, segment, 16);
  }

  sendUdp(target: string, port: number, from: number, text: string): void {
    const datagram = Buffer.concat([Buffer.alloc(8), Buffer.from(text)]);
    datagram.writeUInt16BE(from, 0);
    datagram.writeUInt16BE(port, 2);
    datagram.writeUInt16BE(datagram.length, 4);
    this.#sendIp(PROTOCOL.udp, target, datagram, 6);
  }

  /**
   * Waits for a connection from outside.
   *
   * @returns the address and port of the guest that it is for
   */
  incomingSyn(): Promise<string> {
    return this.#next((frame) => {
      const isTcp = frame.readUInt16BE(12) === ETHERTYPE.ipv4 && frame[23] === PROTOCOL.tcp;
      if (!isTcp || frame[47] !== SYN) return undefined;
      return `${frame.subarray(30, 34).join('.')}:${frame.readUInt16BE(36)}`;
    });
  }

  /**
   * Waits for a datagram from outside.
   *
   * @returns the address and port of the guest that it is for, and its text
   */
  incomingUdp(): Promise<string> {
    return this.#next((frame) => {
      const isUdp = frame.readUInt16BE(12) === ETHERTYPE.ipv4 && frame[23] === PROTOCOL.udp;
      if (!isUdp) return undefined;
      const to = `${frame.subarray(30, 34).join('.')}:${frame.readUInt16BE(36)}`;
      return `${to} ${frame.subarray(42).toString()}`;
    });
  }

  #sendIp(protocol: number, target: string, payload: Buffer, checksumAt: number): void {
    const [from, to] = [ip(GUEST_NETWORK.address), ip(target)];
    const pseudo = Buffer.from([0, protocol, payload.length >> 8, payload.length & 0xff]);
    payload.writeUInt16BE(checksum(Buffer.concat([from, to, pseudo, payload])), checksumAt);
    const header = Buffer.alloc(12);
    header.writeUInt8(0x45, 0);
    header.writeUInt16BE(20 + payload.length, 2);
    header.writeUInt8(64, 8);
    header.writeUInt8(protocol, 9);
    header.writeUInt16BE(checksum(Buffer.concat([header, from, to])), 10);
    this.#send(this.#gateway, ETHERTYPE.ipv4, Buffer.concat([header, from, to, payload]));
  }

  #send(to: Buffer, ethertype: number, payload: Buffer): void {
    const lead = Buffer.alloc(18);
    lead.writeUInt32BE(14 + payload.length, 0);
    to.copy(lead, 4);
    MAC.copy(lead, 10);
    lead.writeUInt16BE(ethertype, 16);
    this.#socket.write(Buffer.concat([lead, payload]));
  }

  #next<T>(select: (frame: Buffer) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#socket.once('close', () => reject(new Error('the network closed')));
      this.#onFrame = (frame) => {
        const selected = select(frame);
        if (selected !== undefined) resolve(selected);
      };
    });
  }

  #receive(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    while (this.#buffer.length >= 4 && this.#buffer.length >= 4 + this.#buffer.readUInt32BE(0)) {
      const end = 4 + this.#buffer.readUInt32BE(0);
      this.#onFrame(this.#buffer.subarray(4, end));
      this.#buffer = this.#buffer.subarray(end);
    }
  }
}

function ip(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let n = 0; n < bytes.length; n += 2) sum += ((bytes[n] ?? 0) << 8) | (bytes[n + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
