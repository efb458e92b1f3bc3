#!/usr/bin/env -S node --
'use strict';
// Without `--` Node takes an --env-file of ours for its own, and ends by itself where that file is
// missing.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const bundle = join(__dirname, '../../dist/a3s-box.cjs');
if (existsSync(bundle)) {
  require(bundle);
} else {
  process.stderr.write('a3s-box: it is not built yet (tool-missing)\nRun npm run setup first.\n');
  process.exitCode = 125;
}
