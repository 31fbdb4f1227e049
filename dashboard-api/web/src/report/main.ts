import { createApp } from "vue";
import App from "./App.vue";
import { restore } from "./draft";
import { start } from "./phone";
import { language, setLanguage, showTheme } from "./prefs";
import "../tokens.css";
import "./report.css";

showTheme();
setLanguage(language.value);
void restore().catch(() => undefined);
void start();
createApp(App).mount("#app");
