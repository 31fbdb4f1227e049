// Writes src/api/schema.ts from the API's document: the one beside the sources, or the repository's.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const places = ["../openapi.json", "../../../docs/openapi.json"].map((path) => new URL(path, import.meta.url));
const place = places.find((candidate) => existsSync(candidate));
if (place === undefined) {
  console.error("docs/openapi.json is missing (hint: cargo run -p dashboard-api -- openapi > docs/openapi.json)");
  process.exit(1);
}
const document = JSON.parse(readFileSync(place, "utf8"));
writeFileSync(new URL("../src/api/schema.ts", import.meta.url), astToString(await openapi(document)));
