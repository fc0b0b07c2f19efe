// Becomes dist/nslab.js: runs the bundle beside it with the code that V8 compiled when it was built, which halves the time
// before the first line of nslab runs. Without a cache, or with one of another Node version, V8 compiles as usual.

'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { constants, Script } = require('node:vm');

const filename = join(__dirname, 'bundle.js');
const cache = join(__dirname, 'bundle.cache');

function readCache() {
  try {
    return readFileSync(cache);
  } catch {
    return undefined;
  }
}

const cachedData = readCache();
// esbuild writes ASCII only, and a string of one byte a character is read fastest.
const script = new Script(
  `(function (require, __dirname, __filename) {${readFileSync(filename, 'latin1')}\n})`,
  {
    filename,
    ...(cachedData === undefined ? {} : { cachedData }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  },
);
if (process.env.NSLAB_WRITE_CODE_CACHE === '1') {
  process.on('exit', () => writeFileSync(cache, script.createCachedData()));
}
script.runInThisContext()(require, __dirname, filename);
