import { createRouter, createWebHistory } from "vue-router";
import { restore, user } from "./session";
import DevicesView from "./views/DevicesView.vue";
import LiveView from "./views/LiveView.vue";
import LoginView from "./views/LoginView.vue";
import MapView from "./views/MapView.vue";
import MissingView from "./views/MissingView.vue";
import QuarantineView from "./views/QuarantineView.vue";

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/", redirect: "/live" },
    { path: "/login", component: LoginView, meta: { open: true } },
    { path: "/live", component: LiveView },
    { path: "/map", component: MapView },
    { path: "/devices", component: DevicesView },
    { path: "/quarantine", component: QuarantineView },
    { path: "/account", component: () => import("./views/AccountView.vue") },
    { path: "/duty", component: () => import("./views/DutyView.vue") },
    { path: "/reports", component: () => import("./views/ReportsView.vue") },
    { path: "/:any(.*)*", component: MissingView },
  ],
});

router.beforeEach(async (to) => {
  if (user.value === null) await restore();
  if (user.value === null && to.meta["open"] !== true) return { path: "/login", query: { to: to.fullPath } };
  if (user.value !== null && to.path === "/login") return "/live";
  return true;
});
