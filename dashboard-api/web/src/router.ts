import { createRouter, createWebHistory } from "vue-router";
import { mayCall, owes, restore, user, worksByPhone } from "./session";
import LiveView from "./views/LiveView.vue";
import LoginView from "./views/LoginView.vue";

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/", redirect: "/live" },
    { path: "/login", component: LoginView, meta: { open: true } },
    { path: "/live", component: LiveView },
    { path: "/map", component: () => import("./views/MapView.vue") },
    { path: "/devices", component: () => import("./views/DevicesView.vue") },
    { path: "/devices/:id", component: () => import("./views/DeviceView.vue") },
    { path: "/alarms", component: () => import("./views/AlarmListView.vue") },
    { path: "/maintenance", component: () => import("./views/MaintenanceView.vue") },
    { path: "/incidents", component: () => import("./views/IncidentsView.vue") },
    { path: "/incidents/:id", component: () => import("./views/IncidentView.vue") },
    { path: "/history", component: () => import("./views/HistoryView.vue") },
    { path: "/roster", component: () => import("./views/RosterView.vue") },
    { path: "/grid", component: () => import("./views/GridView.vue") },
    { path: "/newcomers", component: () => import("./views/NewcomersView.vue") },
    { path: "/registry", component: () => import("./views/RegistryView.vue") },
    { path: "/fire", component: () => import("./views/FireView.vue") },
    { path: "/rules", component: () => import("./views/RulesView.vue") },
    { path: "/quarantine", component: () => import("./views/QuarantineView.vue") },
    { path: "/account", component: () => import("./views/AccountView.vue") },
    { path: "/duty", component: () => import("./views/DutyView.vue") },
    { path: "/reports", component: () => import("./views/ReportsView.vue") },
    { path: "/admin", redirect: () => (mayCall("POST /api/v1/users") ? "/admin/users" : "/admin/audit") },
    { path: "/admin/users", component: () => import("./admin/UsersView.vue") },
    { path: "/admin/tokens", component: () => import("./admin/TokensView.vue") },
    { path: "/admin/system", component: () => import("./admin/SystemView.vue") },
    { path: "/admin/audit", component: () => import("./admin/AuditView.vue") },
    { path: "/wall", component: () => import("./wall/WallView.vue") },
    { path: "/:any(.*)*", component: () => import("./views/MissingView.vue") },
  ],
});

router.beforeEach(async (to) => {
  if (user.value === null) await restore();
  if (user.value === null && to.meta["open"] !== true) return { path: "/login", query: { to: (to.redirectedFrom ?? to).fullPath } };
  // somebody else has set the password: nothing goes before another one
  if (user.value !== null && owes.value !== null && to.path !== "/account") return "/account";
  if (user.value !== null && to.path === "/login") return "/";
  // only whoever came without a wish: a link to the board is one
  if (to.redirectedFrom?.path === "/" && worksByPhone()) {
    location.replace("/work");
    return false;
  }
  return true;
});
