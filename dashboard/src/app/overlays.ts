import { Help } from "./help.tsx";
import { Palette } from "./palette.tsx";

/* What opens over the page, as one file: each alone is smaller than what fetching it costs. */

export const overlays = { help: Help, palette: Palette };
