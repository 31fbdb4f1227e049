/** What this workstation remembers: language and theme. Without storage nothing is remembered, and everything works. */
import { ref } from "vue";

export function read(name: string): string | null {
  try {
    return localStorage.getItem(`jiming.${name}`);
  } catch {
    return null;
  }
}

export function write(name: string, value: string): void {
  try {
    localStorage.setItem(`jiming.${name}`, value);
  } catch {
    // storage is switched off
  }
}

export function forget(name: string): void {
  try {
    localStorage.removeItem(`jiming.${name}`);
  } catch {
    // storage is switched off
  }
}

export type Theme = "dark" | "light";

export const theme = ref<Theme>(read("theme") === "light" ? "light" : "dark");

export function setTheme(to: Theme): void {
  document.documentElement.dataset["theme"] = to;
  theme.value = to;
  write("theme", to);
}

export function switchTheme(): void {
  setTheme(theme.value === "dark" ? "light" : "dark");
}
