/** Who is logged in. The cookie itself is out of reach of scripts. */
import { ref } from "vue";
import { api } from "./api/client";
import type { User } from "./api/types";
import { forget, write } from "./prefs";

export const user = ref<User | null>(null);

/** The mark tells the phone page that asking for the account's reports is worth while; it proves nothing. */
function note(who: User | null): void {
  user.value = who;
  if (who === null) forget("session");
  else write("session", "yes");
}

export async function restore(): Promise<void> {
  try {
    note((await api.session()).user);
  } catch {
    note(null);
  }
}

export async function logIn(login: string, password: string): Promise<void> {
  note((await api.logIn(login, password)).user);
}

export async function logOut(): Promise<void> {
  await api.logOut().catch(() => undefined);
  note(null);
}

/** Roles that only read get no buttons that would be refused. */
export function mayAct(): boolean {
  return user.value !== null && user.value.role !== "auditor" && user.value.role !== "grid_captain";
}
