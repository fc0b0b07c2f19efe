// A program that tests run inside a network namespace to send and take real TCP and UDP there: one request as a line of JSON
// on stdin, one answer as a line on stdout. Plain JavaScript, so that it starts without a loader. It ends with its stdin.
//   {"id":1,"do":"serve","proto":"tcp","address":"::","port":80}      -> {"id":1}
//   {"id":2,"do":"ask","proto":"udp","address":"10.0.0.1","port":5}   -> {"id":2,"peer":..,"peerPort":..,"local":..,"localPort":..}
// The answer to `ask` is what the server saw of the client; a failure is {"id":2,"error":"ECONNREFUSED"} or "TIMEOUT".

import { createSocket } from 'node:dgram';
import { connect, createServer, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

function bare(address) {
  return address.replace(/^::ffff:/, '');
}

function serveTcp({ address, port }) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      const { remoteAddress = '', remotePort, localAddress = '', localPort } = socket;
      socket.end(
        JSON.stringify({
          peer: bare(remoteAddress),
          peerPort: remotePort,
          local: bare(localAddress),
          localPort,
        }),
      );
    });
    server.on('error', reject);
    server.listen(port, address, () => resolve({}));
  });
}

function serveUdp({ address, port }) {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    socket.on('error', reject);
    socket.on('message', (_bytes, peer) => {
      const answer = { peer: peer.address, peerPort: peer.port, local: address, localPort: port };
      socket.send(JSON.stringify(answer), peer.port, peer.address);
    });
    socket.bind(port, address, () => resolve({}));
  });
}

function askTcp({ address, port, timeout }) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let text = '';
    const timer = setTimeout(() => finish({ error: 'TIMEOUT' }), timeout);
    const finish = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => finish(text === '' ? { error: 'EMPTY' } : JSON.parse(text)));
    socket.on('error', (error) => finish({ error: error.code }));
  });
}

function askUdp({ address, port, timeout }) {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (answer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish({ error: 'TIMEOUT' }), timeout);
    socket.on('error', (error) => finish({ error: error.code }));
    socket.on('message', (bytes) => finish(JSON.parse(bytes.toString())));
    // Connected, so that a refusal by ICMP comes back as an error.
    socket.connect(port, address, () => socket.send('?'));
  });
}

const actions = {
  serve: { tcp: serveTcp, udp: serveUdp },
  ask: { tcp: askTcp, udp: askUdp },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  actions[request.do]
    [request.proto](request)
    .catch((error) => ({ error: error.code ?? String(error) }))
    .then((answer) => process.stdout.write(`${JSON.stringify({ id: request.id, ...answer })}\n`));
}
process.exit(0);
