// Inputs for the target `adapters`, one for each sample of each format: node tests/fuzz/seeds.mjs DIRECTORY
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
