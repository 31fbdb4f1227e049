/** The responders' page's service worker: serves the page without a line. It sends nothing: what is said late is said by a person. */
import { serveFiles } from "./files";

serveFiles();
