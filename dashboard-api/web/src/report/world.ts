/** The queue's world in a browser. */
import { database } from "./db";
import type { World } from "./queue";
import { newKey, newSecret } from "../phone/random";
import { server } from "./server";

export const world: World = { store: database, server, now: () => Date.now(), random: () => Math.random(), newKey, newSecret };
