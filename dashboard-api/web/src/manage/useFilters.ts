/** Filters that stand in the address, so that going back, a second tab and a colleague's link show the same list. */
import { reactive, watch } from "vue";
import { useRoute, useRouter } from "vue-router";

type Texts = Record<string, string>;

export function useFilters<T extends Texts>(defaults: T): { filters: T; clear: () => void; isClear: () => boolean } {
  const route = useRoute();
  const router = useRouter();
  const path = route.path;
  const read = (name: string): string => {
    const value = route.query[name];
    return typeof value === "string" ? value : (defaults[name] ?? "");
  };
  const filters = reactive(Object.fromEntries(Object.keys(defaults).map((name) => [name, read(name)]))) as T;
  watch(filters, () => {
    if (route.path !== path) return;
    const query = Object.fromEntries(Object.entries(filters).filter(([name, value]) => value !== defaults[name]));
    void router.replace({ path, query });
  });
  return {
    filters,
    clear: () => void Object.assign(filters, defaults),
    isClear: () => Object.entries(filters).every(([name, value]) => value === defaults[name]),
  };
}
