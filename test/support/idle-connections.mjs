// Opens many connections that send nothing, from a process of its own, and tells in JSON lines how many are open and how many are left.
import { connect } from 'node:net';

const [host, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const BATCH = 500;
let open = 0;
let failed = 0;

for (let from = 0; from < count; from += BATCH) {
  const batch = Array.from({ length: Math.min(BATCH, count - from) }, () => {
    const { promise, resolve } = Promise.withResolvers();
    const socket = connect({ host, port });
    socket.once('connect', () => {
      open += 1;
      socket.once('close', () => (open -= 1));
      socket.resume();
      resolve();
    });
    socket.once('error', () => {
      failed += 1;
      resolve();
    });
    return promise;
  });
  await Promise.all(batch);
}
process.stdout.write(`${JSON.stringify({ opened: count - failed, open })}\n`);
const timer = setInterval(() => {
  if (open > 0) return;
  clearInterval(timer);
  process.stdout.write(`${JSON.stringify({ open })}\n`);
}, 50);
