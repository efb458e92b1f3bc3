// Runs in a box, by the Node of the host: prints what Node's own watch and vite's, which is
// chokidar, report of a directory.
import { watch } from 'node:fs';

const [directory, modules] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
watch(directory, (type, name) => say(`fs.watch ${type} ${name}`));
const { createServer } = await import(`${modules}/vite/dist/node/index.js`);
const server = await createServer({
  ...{ root: directory, configFile: false, logLevel: 'silent', cacheDir: '/tmp/vite' },
  server: { middlewareMode: true, ws: false },
  optimizeDeps: { noDiscovery: true },
});
server.watcher.on('all', (event, path) => say(`vite ${event} ${path}`));
server.watcher.on('ready', () => say('ready'));
