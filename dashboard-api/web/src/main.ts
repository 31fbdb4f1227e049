import { createApp } from "vue";
import App from "./App.vue";
import { language, setLanguage } from "./i18n";
import { setTheme, theme } from "./prefs";
import { router } from "./router";
import "./tokens.css";
import "./glyph.css";
import "./styles.css";

setTheme(theme.value);
setLanguage(language.value);
createApp(App).use(router).mount("#app");
