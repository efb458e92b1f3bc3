require('node:http')
  .createServer((_, response) => response.end(`${process.env.NAME}\n`))
  .listen(3000);
process.on('SIGTERM', () => process.exit(0));
