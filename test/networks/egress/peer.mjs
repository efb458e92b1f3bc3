// What runs in a network namespace of the egress tests: a guest that asks and connects, or the
// world that it reaches. Commands and results are messages to the test.
import { createSocket } from 'node:dgram';
import { createServer as httpServer } from 'node:http';
import { request as httpsRequest, createServer as httpsServer } from 'node:https';
import { connect, createServer, isIPv6 } from 'node:net';
import { connect as tlsConnect, createServer as tlsServer } from 'node:tls';

const WAIT_MS = 2500;

/** Resolves with what `start` reports, or with `silence` where nothing is reported. */
function within(start, silence = 'timeout', milliseconds = WAIT_MS) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(silence), milliseconds);
    start((result) => {
      clearTimeout(timer);
      resolve(result);
    });
  });
}

const kept = new Map();

function familyOf(address) {
  return isIPv6(address) ? 'udp6' : 'udp4';
}

/** Calls once with the first message of DNS over TCP, which may come in pieces. */
function onMessage(socket, call) {
  let bytes = Buffer.alloc(0);
  socket.on('data', function take(data) {
    bytes = Buffer.concat([bytes, data]);
    if (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE()) return;
    socket.off('data', take);
    call(bytes.subarray(2, 2 + bytes.readUInt16BE()));
  });
}

const COMMANDS = {
  /** Sends bytes of DNS, and returns the answer in hexadecimal digits. */
  async dns({ server, port = 53, message, tcp = false }) {
    const bytes = Buffer.from(message, 'hex');
    if (tcp) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      const socket = connect({ host: server, port });
      const answer = await within((done) => {
        socket.on('error', (error) => done(error.code));
        socket.on('close', () => done('closed'));
        socket.on('connect', () => socket.write(Buffer.concat([length, bytes])));
        onMessage(socket, (reply) => done(reply.toString('hex')));
      });
      socket.destroy();
      return answer;
    }
    return await COMMANDS.udp({ address: server, port, send: message });
  },

  async udp({ address, port, send, from }) {
    const socket = createSocket(familyOf(address));
    if (from !== undefined) socket.bind({ address: from });
    const result = await within((done) => {
      socket.on('message', (message) => done(message.toString('hex')));
      socket.on('error', (error) => done(error.code));
      socket.connect(port, address, (error) => {
        if (error) done(error.code);
        else socket.send(Buffer.from(send, 'hex'));
      });
    });
    socket.close();
    return result;
  },

  /** Connects, sends, and returns the first bytes that come. */
  async tcp({ address, port, send = '', keep, from }) {
    const socket = connect({ host: address, port, localAddress: from });
    const result = await within((done) => {
      socket.on('error', (error) => done(error.code));
      socket.on('close', () => done('closed'));
      socket.on('connect', () => socket.write(Buffer.from(send, 'hex')));
      socket.on('data', (data) => done(data.toString('hex')));
    });
    if (keep === undefined) socket.destroy();
    else kept.set(keep, socket);
    return result;
  },

  /** Sends more over a connection that was kept. */
  async again({ keep, send }) {
    const socket = kept.get(keep);
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    const result = await within((done) => {
      socket.on('close', () => done('closed'));
      socket.on('data', (data) => done(data.toString('hex')));
      socket.write(Buffer.from(send, 'hex'));
    });
    return result;
  },

  /** Makes a TLS connection, sends a line and returns the server's. */
  async tls({ address, port = 443, name }) {
    const socket = tlsConnect({ host: address, port, servername: name, rejectUnauthorized: false });
    const result = await within((done) => {
      socket.on('error', (error) => done(error.code ?? 'error'));
      socket.on('close', () => done('closed'));
      socket.on('secureConnect', () => socket.write('hello\n'));
      socket.on('data', (data) => done(data.toString()));
    });
    socket.destroy();
    return result;
  },

  /** Sends a datagram of this length, in fragments where it is long. */
  async datagram({ address, port, length }) {
    return await COMMANDS.udp({ address, port, send: Buffer.alloc(length, 1).toString('hex') });
  },

  /** A DNS server with a table that the test changes. */
  async serveDns({ address, port = 53 }) {
    const answer = (message) => {
      const text = message.toString('latin1', 12).toLowerCase();
      asked.push(
        text
          .slice(0, text.indexOf('\0'))
          .replace(/[^a-z0-9_-]/g, '.')
          .slice(1),
      );
      const found = table.get(asked.at(-1));
      return found === undefined ? undefined : [found, message];
    };
    const socket = createSocket(familyOf(address));
    socket.on('message', (message, from) => {
      const [found, asks] = answer(message) ?? [undefined, message];
      const reply = replyTo(asks, found, found?.truncated === true);
      socket.send(reply, from.port, from.address);
    });
    await new Promise((resolve) => socket.bind(port, address, resolve));
    const server = createServer((client) => {
      client.on('error', () => undefined);
      onMessage(client, (message) => {
        const [found, asks] = answer(message) ?? [undefined, message];
        const reply = replyTo(asks, found, false);
        client.end(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
      });
    });
    await listen(server, address, port);
    return 'ready';
  },

  /** `records`: pairs of a kind and bytes in hexadecimal digits, with the owner's. */
  async setName({ name, ...found }) {
    table.set(name, found);
    return 'ready';
  },

  async takeAsked() {
    return asked.splice(0);
  },

  /** Says which name the client stated. */
  async serveTls({ address, port = 443, key, cert }) {
    const server = tlsServer({ key, cert }, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(`${address} ${socket.servername}`));
    });
    server.on('tlsClientError', () => undefined);
    await listen(server, address, port);
    return 'ready';
  },

  /** Asks for a page over TLS, verified by one authority. Headers are added. */
  async https({ address, name, ca, headers }) {
    return await within((done) => {
      const request = httpsRequest({ host: address, servername: name, ca, agent: false, headers });
      request.setHeader('host', name);
      request.on('error', (error) => done(error.code ?? error.message));
      request.on('response', (response) => {
        let text = '';
        response.on('data', (data) => {
          text += data;
        });
        response.on('end', () => done(text));
      });
      request.end();
    });
  },

  /** Says what a request has in two headers, the first in another form. */
  async serveHttps({ address, key, cert }) {
    const server = httpsServer({ key, cert }, (request, response) => {
      const authorization = [...(request.headers.authorization ?? '')].join(' ');
      response.end(JSON.stringify({ authorization, other: request.headers['x-other'] }));
    });
    server.on('tlsClientError', () => undefined);
    await listen(server, address, 443);
    return 'ready';
  },

  /** Says which hosts the client has asked for, in one connection. */
  async serveHttp({ address, port = 80 }) {
    const server = httpServer((request, response) =>
      response.end(`${address} ${request.headers.host}`),
    );
    await listen(server, address, port);
    return 'ready';
  },

  /** Says whose connection it is. */
  async serveTcp({ address, port }) {
    const server = createServer((client) => {
      client.on('error', () => undefined);
      client.on('data', () => client.write(`${client.remoteAddress}`));
    });
    await listen(server, address, port);
    return 'ready';
  },

  async serveUdp({ address, port }) {
    const socket = createSocket(familyOf(address));
    socket.on('message', (message, from) => {
      heard.push(address);
      socket.send(String(message.length), from.port, from.address);
    });
    await new Promise((resolve) => socket.bind(port, address, resolve));
    return 'ready';
  },

  /** The addresses at which datagrams came. */
  async takeHeard() {
    return heard.splice(0);
  },
};

const table = new Map();
const asked = [];
const heard = [];

function replyTo(message, found, truncated) {
  const head = Buffer.from(message.subarray(0, 12));
  const records = truncated ? [] : (found?.records ?? []).map((each) => Buffer.from(each, 'hex'));
  head.writeUInt16BE(0x8180 | (found === undefined ? 3 : 0) | (truncated ? 0x0200 : 0), 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(0, 10);
  const end = message.indexOf(0, 12) + 5;
  return Buffer.concat([head, message.subarray(12, end), ...records]);
}

function listen(server, host, port) {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen({ host, port }, resolve);
  });
}

process.on('message', async ({ id, command, ...values }) => {
  try {
    process.send({ id, result: await COMMANDS[command](values) });
  } catch (error) {
    process.send({ id, result: `failed: ${error.message}` });
  }
});
process.send({ id: 0, result: 'ready' });
process.on('disconnect', () => process.exit());
