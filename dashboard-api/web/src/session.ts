/** Who is logged in. The cookie itself is out of reach of scripts. */
import { ref } from "vue";
import { api } from "./api/client";
import type { User } from "./api/types";

export const user = ref<User | null>(null);

export async function restore(): Promise<void> {
  try {
    user.value = (await api.session()).user;
  } catch {
    user.value = null;
  }
}

export async function logIn(login: string, password: string): Promise<void> {
  user.value = (await api.logIn(login, password)).user;
}

export async function logOut(): Promise<void> {
  await api.logOut().catch(() => undefined);
  user.value = null;
}

/** Roles that only read get no buttons that would be refused. */
export function mayAct(): boolean {
  return user.value !== null && user.value.role !== "auditor" && user.value.role !== "grid_captain";
}
