import { createApp } from "vue";
import { language, showTheme } from "../phone/look";
import { serveOffline } from "../phone/offline";
import App from "./App.vue";
import { hasUpdate, start } from "./live";
import { setLanguage } from "./prefs";
import "../tokens.css";
import "../glyph.css";
import "../report/report.css";
import "./work.css";

showTheme();
setLanguage(language.value);
void serveOffline("/work", () => (hasUpdate.value = true)).catch(() => undefined);
void start();
createApp(App).mount("#app");
