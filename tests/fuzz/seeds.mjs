// Inputs for the target `adapters`, one for each sample of each format and each test of a declared one: node tests/fuzz/seeds.mjs DIRECTORY
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../gateway/src/adapters');
const into = process.argv[2];
mkdirSync(into, { recursive: true });

const bytesOf = (message) => {
  if (message.text !== undefined) return Buffer.from(message.text);
  if (message.hex !== undefined) return Buffer.from(message.hex.replace(/\s/g, ''), 'hex');
  if (message.base64 !== undefined) return Buffer.from(message.base64, 'base64');
  return Buffer.from(JSON.stringify(message.payload));
};
const addressOf = (message) => {
  if (message.mqtt !== undefined) return (message.retain ? 'r' : 'm') + message.mqtt;
  return message.http !== undefined ? 'h' + message.http : 't' + message.tcp;
};

for (const format of readdirSync(root)) {
  const samples = join(root, format, 'samples');
  if (!existsSync(samples)) continue;
  for (const name of readdirSync(samples)) {
    const sample = JSON.parse(readFileSync(join(samples, name), 'utf8'));
    [sample, ...(sample.before ?? [])].forEach((message, index) => {
      const head = Buffer.from(`${addressOf(message)}\n${message.content_type ?? ''}\n`);
      writeFileSync(join(into, `${format}-${name}-${index}`), Buffer.concat([head, bytesOf(message)]));
    });
  }
}

// declared ones carry theirs as texts
const declared = join(import.meta.dirname, '../../deploy/config/adapters');
for (const name of readdirSync(declared)) {
  const tests = readFileSync(join(declared, name), 'utf8').split('[[test]]').slice(1);
  tests.forEach((test, index) => {
    const door = /^(mqtt|http) = "([^"]*)"$/m.exec(test);
    const text = /^text = ('''|')([^]*?)\1$/m.exec(test);
    if (!door || !text) return;
    const type = /^content_type = "([^"]*)"$/m.exec(test)?.[1] ?? '';
    writeFileSync(join(into, `${name}-${index}`), `${door[1][0]}${door[2]}\n${type}\n${text[2]}`);
  });
}
