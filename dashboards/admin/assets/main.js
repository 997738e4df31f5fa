// What makes pages livelier. All of them work without it, but for files that are sent.
import { charts } from "./charts.js";
import { files } from "./files.js";
import { forms } from "./forms.js";
import { keys } from "./keys.js";
import { live } from "./live.js";
import { times } from "./times.js";
import { toasts } from "./toasts.js";

for (const start of [times, toasts, forms, charts, live, keys, files]) start(document);
