const http = require('node:http');
const { readFileSync } = require('node:fs');

http.createServer((_, response) => response.end(readFileSync('/site/page.html'))).listen(3000);
process.on('SIGTERM', () => process.exit(0));
