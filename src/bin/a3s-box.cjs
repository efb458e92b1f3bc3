#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const bundle = join(__dirname, '../../dist/a3s-box.cjs');
if (existsSync(bundle)) {
  require(bundle);
} else {
  process.stderr.write('a3s-box: it is not built yet (tool-missing)\nRun npm run setup first.\n');
  process.exitCode = 125;
}
