/**
 * A browser may name a language that is none, such as `en-US@posix` where the system has `LANG=C`. The plots format numbers by the
 * browser's language as soon as they are loaded, and would not load.
 */
export function ensureLanguage(browser: { readonly language: string }): void {
  try {
    new Intl.NumberFormat(browser.language);
  } catch {
    Object.defineProperty(browser, "language", { value: "en-US", configurable: true });
  }
}
