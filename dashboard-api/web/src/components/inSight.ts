/**
 * Which rows of a long list are in sight, where all rows have one height: where a row stands is a product, not a table of ten thousand places that
 * is made anew for each row that comes.
 */
import { type Ref, computed, ref, watch } from "vue";

/** Rows that are drawn beyond the edges, so that a scroll finds them there. */
const BEYOND = 8;

/** Pixels, but `count`. */
export interface List {
  count: number;
  row: number;
  /** Room above the first and below the last row. */
  above?: number;
  below?: number;
}

/** The rows of which something is seen between `top` and `top + height`, and some beyond: from, and up to but without. */
export function span({ count, row, above = 0 }: List, top: number, height: number): { from: number; to: number } {
  const from = Math.floor((top - above) / row) - BEYOND;
  const to = Math.ceil((top - above + height) / row) + BEYOND;
  return { from: Math.min(count, Math.max(0, from)), to: Math.min(count, Math.max(0, to)) };
}

/** Where to scroll so that a row is wholly seen; where it is already, nowhere else. */
export function toSee({ row, above = 0 }: List, index: number, top: number, height: number): number {
  const y = above + index * row;
  if (y < top) return y;
  return y + row > top + height ? y + row - height : top;
}

export function useInSight(box: Ref<HTMLElement | null>, list: () => List) {
  const top = ref(0);
  // until it is there it may be as high as the screen
  const height = ref(window.innerHeight);
  /** Takes over where the list stands now; also after it was scrolled by hand of a program. */
  function look(): void {
    if (box.value === null) return;
    top.value = box.value.scrollTop;
    height.value = box.value.clientHeight;
  }
  watch(
    box,
    (element, _, over) => {
      if (element === null) return;
      look();
      const resized = new ResizeObserver(look);
      resized.observe(element);
      element.addEventListener("scroll", look, { passive: true });
      over(() => {
        resized.disconnect();
        element.removeEventListener("scroll", look);
      });
    },
    { flush: "post" },
  );
  function scrollTo(y: number): void {
    if (box.value === null) return;
    box.value.scrollTop = y;
    look();
  }
  return {
    top,
    look,
    scrollTo,
    drawn: computed(() => span(list(), top.value, height.value)),
    total: computed(() => (list().above ?? 0) + list().count * list().row + (list().below ?? 0)),
    see: (index: number) => box.value !== null && scrollTo(toSee(list(), index, box.value.scrollTop, box.value.clientHeight)),
  };
}
