// Checks a SARIF document against the standard's schema; prints what is wrong, or null.
// Usage: node sarif.mjs DIRECTORY_OF_PACKAGES FILE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [packages, file] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const Ajv = require('ajv-draft-04').default;
const schema = JSON.parse(readFileSync(`${packages}/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json`, 'utf8'));
const ajv = new Ajv({ strict: false, unicodeRegExp: false });
require('ajv-formats').default(ajv);
const check = ajv.compile(schema);
console.log(JSON.stringify(check(JSON.parse(readFileSync(file, 'utf8'))) ? null : check.errors.slice(0, 5)));
