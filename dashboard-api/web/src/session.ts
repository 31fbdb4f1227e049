/** Who is logged in. The cookie itself is out of reach of scripts. */
import { ref } from "vue";
import { ApiError, api } from "./api/client";
import type { User } from "./api/types";
import { t } from "./i18n";
import { forget, write } from "./prefs";

export const user = ref<User | null>(null);
/** The session is over, and the board stays on the screen: the password is asked for over it. */
export const isLocked = ref(false);
/** What has to be done before anything else. */
export const owes = ref<string | null>(null);
/** Routes that the role may call, as the server's table has them. */
const calls = ref<ReadonlySet<string>>(new Set());

/** The mark tells the phone page that asking for the account's reports is worth while; it proves nothing. */
function note(who: User | null, mayCall: readonly string[] = [], owed: string | null = null): void {
  owes.value = owed;
  calls.value = new Set(mayCall);
  user.value = who;
  isLocked.value = false;
  if (who === null) forget("session");
  else write("session", "yes");
}

export async function restore(): Promise<void> {
  try {
    const session = await api.session();
    note(session.user, session.may_call, session.owes);
  } catch (e) {
    // a server that cannot be reached logs nobody out
    if (user.value === null) note(null);
    else if (e instanceof ApiError && e.problem.status === 401) sessionEnded();
  }
}

/** The server said so. An alarm view never goes away by itself. */
export function sessionEnded(): void {
  isLocked.value = user.value !== null;
}

export async function logIn(login: string, password: string, code = ""): Promise<void> {
  const session = await api.logIn(login, password, code);
  note(session.user, session.may_call, session.owes);
}

/** The same user goes on. */
export async function unlock(password: string, code = ""): Promise<void> {
  if (user.value !== null) await logIn(user.value.login, password, code);
}

let lastWords: () => Promise<void> = () => Promise.resolve();

/** What has to go out while the session lasts. */
export function beforeLogOut(last: () => Promise<void>): void {
  lastWords = last;
}

export async function logOut(): Promise<void> {
  await lastWords().catch(() => undefined);
  await api.logOut().catch(() => undefined);
  note(null);
}

export async function logOutEverywhere(): Promise<void> {
  await lastWords().catch(() => undefined);
  await api.logOutEverywhere();
  note(null);
}

/** The password was right: what is missing, or was wrong, is the code of the second step. */
export function asksForCode(e: unknown): boolean {
  return e instanceof ApiError && (e.problem.code === "code_wanted" || e.problem.code === "code_wrong");
}

/** Why a password was not taken. */
export function refusalOf(e: unknown): string {
  const status = e instanceof ApiError ? e.problem.status : 0;
  if (asksForCode(e)) return t(e instanceof ApiError && e.problem.code === "code_wrong" ? "login.codeWrong" : "login.codeWanted");
  if (status === 401 || status === 400) return t("login.refused");
  if (status === 429) return t("login.throttled");
  return e instanceof ApiError && status !== 0 ? e.message : t("notice.unreachable");
}

/** On a phone, whoever is sent out works on the page that is made for it. */
export function worksByPhone(): boolean {
  const role = user.value?.role;
  return (role === "responder" || role === "grid_captain") && matchMedia("(max-width: 700px)").matches;
}

/** Whether the role may call a route, as in `POST /api/v1/alarms/{id}/shelve`. */
export function mayCall(route: string): boolean {
  return calls.value.has(route);
}
